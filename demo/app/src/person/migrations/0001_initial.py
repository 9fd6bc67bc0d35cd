import datetime
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Person',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_name', models.CharField(max_length=70, validators=[django.core.validators.RegexValidator("^[^\\W\\d_]([^\\W\\d_]|[ '’-])*\\Z", "lettres, espaces, traits d'union et apostrophes seulement")], verbose_name='prénom')),
                ('last_name', models.CharField(max_length=70, validators=[django.core.validators.RegexValidator("^[^\\W\\d_]([^\\W\\d_]|[ '’-])*\\Z", "lettres, espaces, traits d'union et apostrophes seulement")], verbose_name='nom de famille')),
                ('birth_date', models.DateField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(datetime.date(1900, 1, 1))], verbose_name='date de naissance')),
                ('email', models.EmailField(blank=True, max_length=254, null=True, verbose_name='courriel')),
                ('nir', models.CharField(max_length=13, validators=[django.core.validators.RegexValidator('^\\d{5}(\\d\\d|2[AB])\\d{6}\\Z', '13 chiffres, ou 2A ou 2B en sixième et septième place')], verbose_name='numéro de sécurité sociale')),
                ('shifted', models.BooleanField(blank=True, null=True, verbose_name='a basculé')),
                ('use_email', models.BooleanField(blank=True, null=True, verbose_name="accepte d'être contacté par courriel")),
                ('creation_datetime', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='date')),
            ],
            options={
                'verbose_name': 'personne',
                'ordering': ['last_name', 'first_name'],
            },
        ),
    ]
