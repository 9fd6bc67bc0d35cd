"""The table of django-security-headers."""
from django.db import models


class FramingAllowedFrom(models.Model):
    domain = models.CharField(max_length=200)
