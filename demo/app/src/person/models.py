"""The insured, and those that they ask for."""
import datetime

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

is_name = RegexValidator(
    r"^[^\W\d_]([^\W\d_]|[ '’-])*\Z", "lettres, espaces, traits d'union et apostrophes seulement")
is_nir = RegexValidator(r'^\d{5}(\d\d|2[AB])\d{6}\Z', '13 chiffres, ou 2A ou 2B en sixième et septième place')


class Person(models.Model):
    first_name = models.CharField('prénom', max_length=70, validators=[is_name])
    last_name = models.CharField('nom de famille', max_length=70, validators=[is_name])
    birth_date = models.DateField(
        'date de naissance', null=True, blank=True, validators=[MinValueValidator(datetime.date(1900, 1, 1))])
    email = models.EmailField('courriel', null=True, blank=True)
    # Without its key. Not unique: people ask again, and mistype.
    nir = models.CharField('numéro de sécurité sociale', max_length=13, validators=[is_nir])
    shifted = models.BooleanField('a basculé', null=True, blank=True)
    use_email = models.BooleanField("accepte d'être contacté par courriel", null=True, blank=True)
    creation_datetime = models.DateTimeField('date', auto_now_add=True, db_index=True)

    class Meta:
        ordering = ['last_name', 'first_name']
        verbose_name = 'personne'

    def __str__(self):
        born = self.birth_date.strftime('%d/%m/%Y') if self.birth_date else ''
        return f'{self.first_name} {self.last_name} {born}'.strip()

    def save(self, *args, **kwargs):
        self.clean_fields()
        super().save(*args, **kwargs)
