from django.db import migrations, models
import uuid


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Institution',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('finess', models.IntegerField(unique=True, verbose_name='numéro FINESS')),
                ('origin', models.CharField(max_length=255, verbose_name='origine')),
                ('dynamic_allow', models.BooleanField(default=False, verbose_name="origine d'après la demande")),
            ],
            options={
                'verbose_name': 'établissement',
                'ordering': ['finess'],
            },
        ),
    ]
