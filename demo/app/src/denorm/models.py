"""The table of django-denorm."""
from django.db import models


class DirtyInstance(models.Model):
    object_id = models.TextField(null=True)
    content_type = models.ForeignKey('contenttypes.ContentType', models.CASCADE)
