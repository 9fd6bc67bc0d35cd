"""The hospitals whose sites show the form in a frame."""
import uuid

from django.db import models


class Institution(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    finess = models.IntegerField('numéro FINESS', unique=True)
    origin = models.CharField('origine', max_length=255)
    dynamic_allow = models.BooleanField("origine d'après la demande", default=False)

    class Meta:
        ordering = ['finess']
        verbose_name = 'établissement'

    def __str__(self):
        return str(self.finess)
