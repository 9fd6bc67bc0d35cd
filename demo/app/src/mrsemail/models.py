"""The mails that agents choose from."""
from django.db import models


class EmailTemplate(models.Model):
    name = models.CharField('nom', max_length=50)
    subject = models.CharField('objet', max_length=255)
    body = models.TextField('corps')
    active = models.BooleanField('actif', default=True)
    menu = models.CharField(
        'menu', max_length=10, choices=[('reject', 'rejeter'), ('contact', 'contacter')], db_index=True)
    counter = models.IntegerField("nombre d'envois", default=0)

    class Meta:
        ordering = ['name']
        verbose_name = 'modèle de courriel'

    def __str__(self):
        return self.name
