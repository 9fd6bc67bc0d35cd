"""The figures of each day."""
from django.db import models


class Stat(models.Model):
    """The figures of a day: of a caisse or of all, of an institution or of all."""

    date = models.DateField('date')
    validation_average_delay = models.DecimalField('délai moyen', max_digits=5, decimal_places=2, null=True)
    mrsrequest_count_new = models.IntegerField('soumises', default=0)
    mrsrequest_count_inprogress = models.IntegerField('en cours', default=0)
    mrsrequest_count_validated = models.IntegerField('validées', default=0)
    mrsrequest_count_rejected = models.IntegerField('rejetées', default=0)
    savings = models.DecimalField('économies (€)', max_digits=9, decimal_places=2, null=True)
    caisse = models.ForeignKey('caisse.Caisse', models.CASCADE, null=True, verbose_name='caisse')
    institution = models.ForeignKey('institution.Institution', models.CASCADE, null=True, verbose_name='établissement')
    insured_shifts = models.IntegerField('bascules', default=0)
    insured_shifts_total = models.IntegerField('bascules en tout', default=0)
    mrsrequest_total_inprogress = models.IntegerField('en cours en tout', default=0)
    mrsrequest_total_new = models.IntegerField('soumises en tout', default=0)
    mrsrequest_total_rejected = models.IntegerField('rejetées en tout', default=0)
    mrsrequest_total_validated = models.IntegerField('validées en tout', default=0)
    mrsrequest_count_resolved = models.IntegerField('conflits résolus', default=0)
    mrsrequest_count_conflicted = models.IntegerField('demandes en conflit', default=0)
    mrsrequest_count_conflicting = models.IntegerField('demandes gardées en conflit', default=0)

    class Meta:
        ordering = ['date', 'caisse', 'institution']
        verbose_name = 'statistique'
