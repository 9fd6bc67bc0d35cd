import os

from django.db import migrations

from caisse import regions


def forwards(apps, schema_editor):
    if not os.environ.get('CI'):
        regions.insert(apps.get_model('caisse', 'Region'))


class Migration(migrations.Migration):

    dependencies = [('caisse', '0001_initial')]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
