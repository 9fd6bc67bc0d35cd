from django.db import migrations, models
import mrsattachment.models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='MRSAttachment',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mrsrequest_uuid', models.UUIDField(verbose_name='identifiant de la demande')),
                ('filename', models.CharField(max_length=255, verbose_name='nom du fichier')),
                ('creation_datetime', models.DateTimeField(auto_now_add=True, verbose_name='date')),
                ('binary', models.BinaryField(null=True)),
                ('attachment_file', models.FileField(null=True, upload_to=mrsattachment.models.upload_to, verbose_name='fichier')),
            ],
            options={
                'verbose_name': 'pièce jointe',
                'verbose_name_plural': 'pièces jointes',
            },
        ),
        # The real application has had these columns, and their numbers stay taken.
        migrations.RemoveField(
            model_name='MRSAttachment',
            name='binary',
        ),
    ]
