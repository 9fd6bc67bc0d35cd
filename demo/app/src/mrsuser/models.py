"""The agents, who also pass the basic auth."""
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin, UserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.utils import timezone


class Manager(UserManager):
    def _create_user(self, username, email, password, is_staff=None, **more):
        return super()._create_user(username, email, password, **more)


class User(AbstractBaseUser, PermissionsMixin):
    USERNAME_FIELD, EMAIL_FIELD, REQUIRED_FIELDS = 'username', 'email', ['email']
    objects = Manager()

    username = models.CharField('identifiant', max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    first_name = models.CharField('prénom', max_length=30, blank=True)
    last_name = models.CharField('nom', max_length=150, blank=True)
    email = models.EmailField('courriel', blank=True)
    is_active = models.BooleanField('actif', default=True)
    date_joined = models.DateTimeField('inscrit le', default=timezone.now)
    number = models.CharField("numéro d'agent", max_length=30, null=True, blank=True)
    caisses = models.ManyToManyField('caisse.Caisse', blank=True, verbose_name='caisses')

    class Meta:
        db_table = 'auth_user'
        verbose_name = 'utilisateur'

    @property
    def is_staff(self):
        return self.is_superuser
