"""The health insurance funds that reimburse."""
from django.db import models


class CaisseManager(models.Manager):
    """Lets loaddata find a caisse by its code, so that it can be loaded again."""

    def get_by_natural_key(self, code):
        return self.get(code=code)


class Caisse(models.Model):
    objects = CaisseManager()

    code = models.CharField('code', max_length=9, unique=True)
    name = models.CharField('nom', max_length=50)
    number = models.CharField('département', max_length=3)
    liquidation_email = models.EmailField('courriel du service', blank=True)
    active = models.BooleanField('active', default=True)

    class Meta:
        ordering = ['code']
        verbose_name = 'caisse'

    def __str__(self):
        return self.name

    def natural_key(self):
        return (self.code,)
