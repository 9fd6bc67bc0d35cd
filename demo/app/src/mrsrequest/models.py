"""The requests for reimbursement of a transport, and what comes with them."""
import json
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from mrsattachment.models import MRSAttachment


class JSONField(models.TextField):
    """JSON: jsonb where PostgreSQL is the database, text elsewhere."""

    def db_type(self, connection):
        return 'jsonb' if connection.vendor == 'postgresql' else 'text'

    def from_db_value(self, value, expression, connection):
        return json.loads(value) if isinstance(value, str) else value

    def to_python(self, value):
        return value

    def get_prep_value(self, value):
        return None if value is None else json.dumps(value)


class MRSRequest(models.Model):
    NEW, CANCELED, REJECTED, INPROGRESS, VALIDATED = 1, 100, 999, 1000, 2000
    STATUS = [(NEW, 'soumise'), (CANCELED, 'annulée'), (REJECTED, 'rejetée'),
              (INPROGRESS, 'en cours de liquidation'), (VALIDATED, 'validée')]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    creation_datetime = models.DateTimeField('date de la demande', default=timezone.now, db_index=True)
    display_id = models.BigIntegerField('numéro de demande', unique=True)  # YYYYMMDDNNNN, counted for each day
    status_datetime = models.DateTimeField('date du statut', null=True, blank=True, db_index=True)
    distancevp = models.PositiveIntegerField('distance (km)', null=True, blank=True)
    expensevp = models.DecimalField('dépense en voiture (€)', max_digits=6, decimal_places=2, null=True, blank=True)
    status = models.IntegerField('statut', choices=STATUS, default=NEW)
    caisse = models.ForeignKey('caisse.Caisse', models.SET_NULL, null=True, verbose_name='caisse')
    institution = models.ForeignKey(
        'institution.Institution', models.SET_NULL, null=True, blank=True, verbose_name='établissement')
    insured = models.ForeignKey('person.Person', models.SET_NULL, null=True, verbose_name='assuré')
    status_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name='agent')
    mandate_datevp = models.DateField('mandatement (voiture)', null=True, blank=True)
    payment_amount = models.DecimalField('montant versé (€)', max_digits=8, decimal_places=2, null=True, blank=True)
    payment_base = models.DecimalField('base du versement (€)', max_digits=8, decimal_places=2, null=True, blank=True)
    adeli = models.IntegerField('numéro ADELI', null=True, blank=True)
    delay = models.DecimalField('délai (jours)', max_digits=5, decimal_places=2, null=True, blank=True)
    saving = models.DecimalField('économie (€)', max_digits=8, decimal_places=2, null=True, blank=True)
    taxi_cost = models.DecimalField('prix en taxi (€)', max_digits=10, decimal_places=2, null=True, blank=True)
    insured_shift = models.BooleanField('bascule', null=True, blank=True)
    # What was typed into the form, as it was typed.
    data = JSONField('saisie', null=True, editable=False)
    modevp = models.BooleanField('véhicule personnel', default=False)
    expenseatp = models.DecimalField(
        'dépense en transports en commun (€)', max_digits=6, decimal_places=2, null=True, blank=True)
    modeatp = models.BooleanField('transports en commun', default=False)
    mandate_dateatp = models.DateField('mandatement (transports en commun)', null=True, blank=True)
    conflicts_accepted = models.PositiveIntegerField('conflits gardés', default=0)
    conflicts_resolved = models.PositiveIntegerField('conflits résolus', default=0)
    # Whoever has it may cancel the request.
    token = models.CharField(max_length=255, null=True, editable=False)
    suspended = models.BooleanField('suspendue', default=False, db_index=True)
    pel = models.CharField('prescription électronique', max_length=14, null=True, blank=True)
    expensevp_parking = models.DecimalField('parking (€)', max_digits=6, decimal_places=2, null=True, blank=True)
    expensevp_toll = models.DecimalField('péage (€)', max_digits=6, decimal_places=2, null=True, blank=True)
    convocation = models.DateField('convocation', null=True, blank=True)

    class Meta:
        ordering = ['-creation_datetime']
        verbose_name = 'demande'

    def __str__(self):
        return str(self.display_id)


class Bill(MRSAttachment):
    mrsrequest = models.ForeignKey(MRSRequest, models.CASCADE, null=True, verbose_name='demande')
    mode = models.CharField(
        'mode', max_length=3, choices=[('vp', 'voiture'), ('atp', 'transports en commun')], db_index=True)

    class Meta:
        ordering = ['mrsrequest', 'id']
        verbose_name = 'justificatif'


class PMT(MRSAttachment):
    mrsrequest = models.ForeignKey(MRSRequest, models.CASCADE, null=True, verbose_name='demande')

    class Meta:
        ordering = ['mrsrequest', 'id']
        verbose_name = 'prescription'


class Transport(models.Model):
    date_depart = models.DateField('aller', null=True)
    date_return = models.DateField('retour', null=True)
    mrsrequest = models.ForeignKey(MRSRequest, models.CASCADE, verbose_name='demande')

    class Meta:
        ordering = ['mrsrequest', 'date_depart']


class MRSRequestLogEntry(models.Model):
    UPDATE, CONTACT, SUSPEND = 2, 800, 900
    ACTIONS = sorted(MRSRequest.STATUS + [(UPDATE, 'modifiée'), (CONTACT, 'contact'), (SUSPEND, 'suspendue')])

    datetime = models.DateTimeField('date', default=timezone.now)
    comment = models.TextField('commentaire')
    data = JSONField('données', null=True, editable=False)
    action = models.SmallIntegerField('action', choices=ACTIONS)
    mrsrequest = models.ForeignKey(MRSRequest, models.CASCADE, verbose_name='demande')
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name='agent')
    emailtemplate = models.ForeignKey(
        'mrsemail.EmailTemplate', models.SET_NULL, null=True, verbose_name='modèle de courriel')

    class Meta:
        ordering = ['-datetime']
