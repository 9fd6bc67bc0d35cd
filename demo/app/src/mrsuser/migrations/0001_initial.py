import django.contrib.auth.validators
from django.db import migrations, models
import django.utils.timezone
import mrsuser.models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0011_update_proxy_permissions'),
        ('caisse', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='identifiant')),
                ('first_name', models.CharField(blank=True, max_length=30, verbose_name='prénom')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='nom')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='courriel')),
                ('is_staff', models.BooleanField(default=False)),
                ('is_active', models.BooleanField(default=True, verbose_name='actif')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='inscrit le')),
                ('profile', models.CharField(default='', max_length=50)),
                ('number', models.CharField(blank=True, max_length=30, null=True, verbose_name="numéro d'agent")),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.Group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.Permission', verbose_name='user permissions')),
                ('caisses', models.ManyToManyField(blank=True, to='caisse.Caisse', verbose_name='caisses')),
            ],
            options={
                'verbose_name': 'utilisateur',
                'db_table': 'auth_user',
            },
            managers=[
                ('objects', mrsuser.models.Manager()),
            ],
        ),
        # The real application has had these columns, and their numbers stay taken.
        migrations.RemoveField(
            model_name='User',
            name='is_staff',
        ),
        migrations.RemoveField(
            model_name='User',
            name='profile',
        ),
    ]
