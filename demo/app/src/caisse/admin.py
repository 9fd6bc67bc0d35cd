from django.contrib import admin

from caisse.models import Caisse


@admin.register(Caisse)
class CaisseAdmin(admin.ModelAdmin):
    list_display = ['code', 'name', 'number', 'active']
    search_fields = ['code', 'name']
