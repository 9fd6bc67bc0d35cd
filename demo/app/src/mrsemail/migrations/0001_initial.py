from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='EmailTemplate',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=50, verbose_name='nom')),
                ('subject', models.CharField(max_length=255, verbose_name='objet')),
                ('body', models.TextField(verbose_name='corps')),
                ('active', models.BooleanField(default=True, verbose_name='actif')),
                ('menu', models.CharField(choices=[('reject', 'rejeter'), ('contact', 'contacter')], db_index=True, max_length=10, verbose_name='menu')),
                ('counter', models.IntegerField(default=0, verbose_name="nombre d'envois")),
            ],
            options={
                'verbose_name': 'modèle de courriel',
                'ordering': ['name'],
            },
        ),
    ]
