"""The evidence that comes with a request: prescriptions, tickets, receipts."""
from django.db import models


class MRSAttachment(models.Model):
    mrsrequest = models.ForeignKey('mrsrequest.MRSRequest', models.CASCADE, null=True, verbose_name='demande')
    filename = models.CharField('nom du fichier', max_length=255)
    # Below ATTACHMENT_ROOT.
    attachment_file = models.FileField('fichier', upload_to='%Y/%m', max_length=255)
    creation_datetime = models.DateTimeField('date', auto_now_add=True)

    class Meta:
        verbose_name = 'pièce jointe'
        verbose_name_plural = 'pièces jointes'

    def __str__(self):
        return self.filename
