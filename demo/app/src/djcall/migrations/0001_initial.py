from django.db import migrations, models
import django.db.models.deletion
import django.utils.timezone
import djcall.models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Caller',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.IntegerField(db_index=True, default=0)),
                ('created', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('spooled', models.DateTimeField(null=True)),
                ('started', models.DateTimeField(null=True)),
                ('ended', models.DateTimeField(null=True)),
                ('kwargs', djcall.models.Pickled(null=True)),
                ('callback', models.CharField(db_index=True, max_length=255)),
                ('max_attempts', models.IntegerField(default=0)),
                ('spooler', models.CharField(max_length=100, null=True)),
                ('priority', models.IntegerField(null=True)),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='djcall.Caller')),
                ('signal_number', models.IntegerField(null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Call',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('spooled', models.DateTimeField(null=True)),
                ('started', models.DateTimeField(null=True)),
                ('ended', models.DateTimeField(null=True)),
                ('result', djcall.models.Pickled(null=True)),
                ('exception', models.TextField(default='')),
                ('status', models.IntegerField(db_index=True, default=0)),
                ('caller', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='djcall.Caller')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='djcall.Call')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Cron',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.CharField(default='*', max_length=50)),
                ('hour', models.CharField(default='*', max_length=50)),
                ('day', models.CharField(default='*', max_length=50)),
                ('month', models.CharField(default='*', max_length=50)),
                ('weekday', models.CharField(default='*', max_length=50)),
                ('caller', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='djcall.Caller')),
            ],
        ),
    ]
