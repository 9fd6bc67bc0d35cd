"""The health insurance funds that reimburse."""
from django.db import models


class Region(models.Model):
    name = models.CharField('nom', max_length=30)
    insee_id = models.CharField('code INSEE', max_length=2)
    cheflieu_code = models.CharField('code INSEE du chef-lieu', max_length=5)

    class Meta:
        ordering = ['name']
        verbose_name = 'région'

    def __str__(self):
        return self.name


class Caisse(models.Model):
    code = models.CharField('code', max_length=9)
    name = models.CharField('nom', max_length=50)
    number = models.CharField('département', max_length=3)
    liquidation_email = models.EmailField('courriel du service de liquidation', null=True, blank=True)
    habilitation_email = models.EmailField('courriel du service des habilitations', null=True, blank=True)
    active = models.BooleanField('active', default=False)
    # How many visitors have asked for it while it was not.
    score = models.PositiveIntegerField('score', default=0)
    parking_enable = models.BooleanField('demande les frais de parking', default=True)
    import_datetime = models.DateTimeField("date du dernier import", null=True, blank=True)
    nopmt_enable = models.BooleanField('accepte les demandes sans prescription', default=False)
    regions = models.ManyToManyField(Region, blank=True, verbose_name='régions')

    class Meta:
        ordering = ['name']
        verbose_name = 'caisse'

    def __str__(self):
        return self.name


class Email(models.Model):
    """Somebody who wants to be told when the caisse joins."""

    email = models.EmailField('courriel')
    caisse = models.ForeignKey(Caisse, models.CASCADE, verbose_name='caisse')

    def __str__(self):
        return self.email
