"""The evidence that comes with a request: prescriptions, tickets, receipts."""
import os
import uuid

from django.db import models
from django.urls import reverse


def upload_to(attachment, filename):
    return f'{attachment.mrsrequest_uuid}-{uuid.uuid4()}{os.path.splitext(filename)[1]}'


class MRSAttachment(models.Model):
    """A file. Bill and PMT of mrsrequest are its children."""

    # No foreign key: files come before the request that they belong to, which may never come.
    mrsrequest_uuid = models.UUIDField('identifiant de la demande')
    filename = models.CharField('nom du fichier', max_length=255)
    creation_datetime = models.DateTimeField('date', auto_now_add=True)
    # Below ATTACHMENT_ROOT.
    attachment_file = models.FileField('fichier', upload_to=upload_to, null=True)

    class Meta:
        verbose_name = 'pièce jointe'
        verbose_name_plural = 'pièces jointes'

    def __str__(self):
        return self.filename

    def get_absolute_url(self):
        return reverse('attachment', args=[self.pk])
