"""The requests for reimbursement of a transport."""
import json
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class JSONField(models.TextField):
    """JSON: jsonb where PostgreSQL is the database, text elsewhere."""

    def db_type(self, connection):
        return 'jsonb' if connection.vendor == 'postgresql' else 'text'

    def from_db_value(self, value, expression, connection):
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value):
        return None if value is None else json.dumps(value)


class MRSRequest(models.Model):
    NEW, CANCELED, REJECTED, INPROGRESS, VALIDATED = 1, 100, 999, 1000, 2000
    STATUS = [(NEW, 'soumise'), (CANCELED, 'annulée'), (REJECTED, 'rejetée'),
              (INPROGRESS, 'en cours de liquidation'), (VALIDATED, 'validée')]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    display_id = models.BigIntegerField('numéro de demande', unique=True)
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    creation_datetime = models.DateTimeField('date de la demande', default=timezone.now, db_index=True)
    creation_ip = models.GenericIPAddressField('adresse IP', null=True, blank=True)
    insured = models.ForeignKey('person.Person', models.SET_NULL, null=True, verbose_name='assuré')
    caisse = models.ForeignKey('caisse.Caisse', models.SET_NULL, null=True, verbose_name='caisse')
    status = models.SmallIntegerField('statut', choices=STATUS, default=NEW, db_index=True)
    status_datetime = models.DateTimeField('date du statut', null=True, blank=True)
    status_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name='agent')
    adeli = models.CharField("numéro ADELI de l'agent", max_length=9, blank=True)
    distance = models.PositiveIntegerField('distance (km)', null=True, blank=True)
    expense = models.DecimalField('dépense (€)', max_digits=7, decimal_places=2, default=0)
    payment_amount = models.DecimalField('montant versé (€)', max_digits=7, decimal_places=2, null=True, blank=True)
    modevp = models.BooleanField('véhicule personnel', default=False)
    modeatp = models.BooleanField('transports en commun', default=False)
    # What was typed into the form, as it was typed.
    data = JSONField('saisie', default=dict, blank=True)

    class Meta:
        ordering = ['-creation_datetime']
        verbose_name = 'demande'

    def __str__(self):
        return str(self.display_id)
