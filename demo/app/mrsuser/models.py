"""The agents, who also pass the basic auth."""
from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    class Meta(AbstractUser.Meta):
        verbose_name = 'utilisateur'
