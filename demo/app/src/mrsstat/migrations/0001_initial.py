from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('caisse', '0001_initial'),
        ('institution', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Stat',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(verbose_name='date')),
                ('validation_average_delay', models.DecimalField(decimal_places=2, max_digits=5, null=True, verbose_name='délai moyen')),
                ('mrsrequest_count_new', models.IntegerField(default=0, verbose_name='soumises')),
                ('mrsrequest_count_inprogress', models.IntegerField(default=0, verbose_name='en cours')),
                ('mrsrequest_count_validated', models.IntegerField(default=0, verbose_name='validées')),
                ('mrsrequest_count_rejected', models.IntegerField(default=0, verbose_name='rejetées')),
                ('savings', models.DecimalField(decimal_places=2, max_digits=9, null=True, verbose_name='économies (€)')),
                ('caisse', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='caisse.Caisse', verbose_name='caisse')),
                ('institution', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='institution.Institution', verbose_name='établissement')),
                ('insured_shifts', models.IntegerField(default=0, verbose_name='bascules')),
                ('insured_shifts_total', models.IntegerField(default=0, verbose_name='bascules en tout')),
                ('mrsrequest_total_inprogress', models.IntegerField(default=0, verbose_name='en cours en tout')),
                ('mrsrequest_total_new', models.IntegerField(default=0, verbose_name='soumises en tout')),
                ('mrsrequest_total_rejected', models.IntegerField(default=0, verbose_name='rejetées en tout')),
                ('mrsrequest_total_validated', models.IntegerField(default=0, verbose_name='validées en tout')),
                ('mrsrequest_count_resolved', models.IntegerField(default=0, verbose_name='conflits résolus')),
                ('mrsrequest_count_conflicted', models.IntegerField(default=0, verbose_name='demandes en conflit')),
                ('mrsrequest_count_conflicting', models.IntegerField(default=0, verbose_name='demandes gardées en conflit')),
            ],
            options={
                'verbose_name': 'statistique',
                'ordering': ['date', 'caisse', 'institution'],
            },
        ),
    ]
