from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Region',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=30, verbose_name='nom')),
                ('insee_id', models.CharField(max_length=2, verbose_name='code INSEE')),
                ('cheflieu_code', models.CharField(max_length=5, verbose_name='code INSEE du chef-lieu')),
            ],
            options={
                'verbose_name': 'région',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Caisse',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=9, verbose_name='code')),
                ('name', models.CharField(max_length=50, verbose_name='nom')),
                ('number', models.CharField(max_length=3, verbose_name='département')),
                ('liquidation_email', models.EmailField(blank=True, max_length=254, null=True, verbose_name='courriel du service de liquidation')),
                ('habilitation_email', models.EmailField(blank=True, max_length=254, null=True, verbose_name='courriel du service des habilitations')),
                ('active', models.BooleanField(default=False, verbose_name='active')),
                ('score', models.PositiveIntegerField(default=0, verbose_name='score')),
                ('parking_enable', models.BooleanField(default=True, verbose_name='demande les frais de parking')),
                ('import_datetime', models.DateTimeField(blank=True, null=True, verbose_name='date du dernier import')),
                ('nopmt_enable', models.BooleanField(default=False, verbose_name='accepte les demandes sans prescription')),
                ('regions', models.ManyToManyField(blank=True, to='caisse.Region', verbose_name='régions')),
            ],
            options={
                'verbose_name': 'caisse',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Email',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254, verbose_name='courriel')),
                ('caisse', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='caisse.Caisse', verbose_name='caisse')),
            ],
        ),
    ]
