from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('caisse', '0001_initial'),
        ('mrsrequest', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(choices=[('request_error', 'erreur dans une demande'), ('request_question', 'question sur une demande'), ('website_question', 'question sur le site'), ('other', 'autre')], db_index=True, max_length=25, verbose_name='motif')),
                ('name', models.CharField(max_length=255, verbose_name='nom')),
                ('email', models.EmailField(max_length=254, verbose_name='courriel')),
                ('message', models.TextField(verbose_name='message')),
                ('creation_datetime', models.DateTimeField(auto_now=True, verbose_name='date')),
                ('caisse', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='caisse.Caisse', verbose_name='caisse')),
                ('mrsrequest', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='mrsrequest.MRSRequest', verbose_name='demande')),
            ],
            options={
                'ordering': ['-creation_datetime'],
            },
        ),
    ]
