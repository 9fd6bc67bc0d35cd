"""What the insured think of it."""
from django.db import models


class Rating(models.Model):
    score = models.SmallIntegerField('note')
    comment = models.TextField('commentaire', blank=True)
    creation_datetime = models.DateTimeField('date', auto_now_add=True)
    mrsrequest = models.ForeignKey('mrsrequest.MRSRequest', models.CASCADE, verbose_name='demande')

    class Meta:
        ordering = ['-creation_datetime']
        verbose_name = 'avis'
