"""The table of django-simple-captcha."""
from django.db import models


class CaptchaStore(models.Model):
    challenge = models.CharField(max_length=32)
    response = models.CharField(max_length=32)
    hashkey = models.CharField(max_length=40, unique=True)
    expiration = models.DateTimeField()
