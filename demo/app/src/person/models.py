"""The insured, and those that they ask for."""
from django.db import models


class Person(models.Model):
    first_name = models.CharField('prénom', max_length=70)
    last_name = models.CharField('nom de famille', max_length=70)
    birth_date = models.DateField('date de naissance')
    email = models.EmailField('courriel', blank=True)
    # 13 characters and a key of 2. Not unique: people ask again, and mistype.
    nir = models.CharField('numéro de sécurité sociale', max_length=15, db_index=True)

    class Meta:
        verbose_name = 'personne'

    def __str__(self):
        return f'{self.first_name} {self.last_name}'
