"""What the public writes to the team."""
from django.db import models


class Contact(models.Model):
    SUBJECTS = [('request_error', 'erreur dans une demande'), ('request_question', 'question sur une demande'),
                ('website_question', 'question sur le site'), ('other', 'autre')]

    subject = models.CharField('motif', max_length=25, choices=SUBJECTS, db_index=True)
    name = models.CharField('nom', max_length=255)
    email = models.EmailField('courriel')
    message = models.TextField('message')
    creation_datetime = models.DateTimeField('date', auto_now=True)
    caisse = models.ForeignKey('caisse.Caisse', models.SET_NULL, null=True, verbose_name='caisse')
    mrsrequest = models.ForeignKey('mrsrequest.MRSRequest', models.SET_NULL, null=True, verbose_name='demande')

    class Meta:
        ordering = ['-creation_datetime']

    def __str__(self):
        return self.name
