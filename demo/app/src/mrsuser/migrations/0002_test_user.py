import os

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import migrations


def forwards(apps, schema_editor):
    if settings.SECRET_KEY == 'notsecret' and not os.environ.get('CI'):
        apps.get_model('mrsuser', 'User').objects.create(
            username='test', password=make_password('test'), is_superuser=True)


class Migration(migrations.Migration):

    dependencies = [('mrsuser', '0001_initial')]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
