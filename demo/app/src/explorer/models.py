"""The tables of django-sql-explorer."""
from django.conf import settings
from django.db import models
from django.utils import timezone


class Query(models.Model):
    title = models.CharField(max_length=255)
    sql = models.TextField()
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_run_date = models.DateTimeField(default=timezone.now)
    created_by_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    snapshot = models.BooleanField(default=False)
    connection = models.CharField(max_length=128, blank=True)


class QueryLog(models.Model):
    sql = models.TextField()
    run_at = models.DateTimeField(default=timezone.now)
    query = models.ForeignKey(Query, models.SET_NULL, null=True)
    run_by_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    duration = models.FloatField(null=True)
    connection = models.CharField(max_length=128, blank=True)
