from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('mrsrequest', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rating',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score', models.SmallIntegerField(verbose_name='note')),
                ('comment', models.TextField(blank=True, verbose_name='commentaire')),
                ('creation_datetime', models.DateTimeField(auto_now_add=True, verbose_name='date')),
                ('mrsrequest', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='mrsrequest.MRSRequest', verbose_name='demande')),
            ],
            options={
                'verbose_name': 'avis',
                'ordering': ['-creation_datetime'],
            },
        ),
    ]
