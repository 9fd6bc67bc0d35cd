from django.conf import settings
from django.db import migrations, models
import django.db.models.deletion
import django.utils.timezone
import mrsrequest.models
import uuid


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('mrsuser', '__first__'),
        ('caisse', '0001_initial'),
        ('institution', '0001_initial'),
        ('mrsattachment', '0001_initial'),
        ('mrsemail', '0001_initial'),
        ('person', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='MRSRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('creation_datetime', models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name='date de la demande')),
                ('creation_ip', models.GenericIPAddressField(null=True)),
                ('display_id', models.BigIntegerField(unique=True, verbose_name='numéro de demande')),
                ('status_datetime', models.DateTimeField(blank=True, db_index=True, null=True, verbose_name='date du statut')),
                ('distancevp', models.PositiveIntegerField(blank=True, null=True, verbose_name='distance (km)')),
                ('expensevp', models.DecimalField(blank=True, decimal_places=2, max_digits=6, null=True, verbose_name='dépense en voiture (€)')),
                ('status', models.IntegerField(choices=[(1, 'soumise'), (100, 'annulée'), (999, 'rejetée'), (1000, 'en cours de liquidation'), (2000, 'validée')], default=1, verbose_name='statut')),
                ('caisse', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='caisse.Caisse', verbose_name='caisse')),
                ('institution', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='institution.Institution', verbose_name='établissement')),
                ('insured', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='person.Person', verbose_name='assuré')),
                ('status_user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL, verbose_name='agent')),
                ('reject_template', models.IntegerField(null=True)),
                ('mandate_datevp', models.DateField(blank=True, null=True, verbose_name='mandatement (voiture)')),
                ('shift', models.BooleanField(null=True)),
                ('payment_amount', models.DecimalField(blank=True, decimal_places=2, max_digits=8, null=True, verbose_name='montant versé (€)')),
                ('payment_base', models.DecimalField(blank=True, decimal_places=2, max_digits=8, null=True, verbose_name='base du versement (€)')),
                ('adeli', models.IntegerField(blank=True, null=True, verbose_name='numéro ADELI')),
                ('delay', models.DecimalField(blank=True, decimal_places=2, max_digits=5, null=True, verbose_name='délai (jours)')),
                ('saving', models.DecimalField(blank=True, decimal_places=2, max_digits=8, null=True, verbose_name='économie (€)')),
                ('taxi_cost', models.DecimalField(blank=True, decimal_places=2, max_digits=10, null=True, verbose_name='prix en taxi (€)')),
                ('insured_shift', models.BooleanField(blank=True, null=True, verbose_name='bascule')),
                ('data', mrsrequest.models.JSONField(editable=False, null=True, verbose_name='saisie')),
                ('modevp', models.BooleanField(default=False, verbose_name='véhicule personnel')),
                ('expenseatp', models.DecimalField(blank=True, decimal_places=2, max_digits=6, null=True, verbose_name='dépense en transports en commun (€)')),
                ('modeatp', models.BooleanField(default=False, verbose_name='transports en commun')),
                ('mandate_dateatp', models.DateField(blank=True, null=True, verbose_name='mandatement (transports en commun)')),
                ('conflicts_accepted', models.PositiveIntegerField(default=0, verbose_name='conflits gardés')),
                ('conflicts_resolved', models.PositiveIntegerField(default=0, verbose_name='conflits résolus')),
                ('token', models.CharField(editable=False, max_length=255, null=True)),
                ('suspended', models.BooleanField(db_index=True, default=False, verbose_name='suspendue')),
                ('pel', models.CharField(blank=True, max_length=14, null=True, verbose_name='prescription électronique')),
                ('expensevp_parking', models.DecimalField(blank=True, decimal_places=2, max_digits=6, null=True, verbose_name='parking (€)')),
                ('expensevp_toll', models.DecimalField(blank=True, decimal_places=2, max_digits=6, null=True, verbose_name='péage (€)')),
                ('convocation', models.DateField(blank=True, null=True, verbose_name='convocation')),
            ],
            options={
                'verbose_name': 'demande',
                'ordering': ['-creation_datetime'],
            },
        ),
        migrations.CreateModel(
            name='Bill',
            fields=[
                ('mrsattachment_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='mrsattachment.MRSAttachment')),
                ('mrsrequest', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='mrsrequest.MRSRequest', verbose_name='demande')),
                ('mode', models.CharField(choices=[('vp', 'voiture'), ('atp', 'transports en commun')], db_index=True, max_length=3, verbose_name='mode')),
            ],
            options={
                'verbose_name': 'justificatif',
                'ordering': ['mrsrequest', 'id'],
            },
            bases=('mrsattachment.mrsattachment',),
        ),
        migrations.CreateModel(
            name='PMT',
            fields=[
                ('mrsattachment_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='mrsattachment.MRSAttachment')),
                ('mrsrequest', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='mrsrequest.MRSRequest', verbose_name='demande')),
            ],
            options={
                'verbose_name': 'prescription',
                'ordering': ['mrsrequest', 'id'],
            },
            bases=('mrsattachment.mrsattachment',),
        ),
        migrations.CreateModel(
            name='Transport',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date_depart', models.DateField(null=True, verbose_name='aller')),
                ('date_return', models.DateField(null=True, verbose_name='retour')),
                ('mrsrequest', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='mrsrequest.MRSRequest', verbose_name='demande')),
            ],
            options={
                'ordering': ['mrsrequest', 'date_depart'],
            },
        ),
        migrations.CreateModel(
            name='MRSRequestLogEntry',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('datetime', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date')),
                ('comment', models.TextField(verbose_name='commentaire')),
                ('data', mrsrequest.models.JSONField(editable=False, null=True, verbose_name='données')),
                ('action', models.SmallIntegerField(choices=[(1, 'soumise'), (2, 'modifiée'), (100, 'annulée'), (800, 'contact'), (900, 'suspendue'), (999, 'rejetée'), (1000, 'en cours de liquidation'), (2000, 'validée')], verbose_name='action')),
                ('mrsrequest', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='mrsrequest.MRSRequest', verbose_name='demande')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL, verbose_name='agent')),
                ('emailtemplate', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='mrsemail.EmailTemplate', verbose_name='modèle de courriel')),
            ],
            options={
                'ordering': ['-datetime'],
            },
        ),
        # The real application has had these columns, and their numbers stay taken.
        migrations.RemoveField(
            model_name='MRSRequest',
            name='creation_ip',
        ),
        migrations.RemoveField(
            model_name='MRSRequest',
            name='reject_template',
        ),
        migrations.RemoveField(
            model_name='MRSRequest',
            name='shift',
        ),
    ]
