from django.contrib import admin

from mrsstat.models import Stat


@admin.register(Stat)
class StatAdmin(admin.ModelAdmin):
    list_display = ['date', 'caisse', 'institution', 'mrsrequest_count_new', 'mrsrequest_count_validated', 'savings']
    list_filter = ['caisse']
    list_select_related = ['caisse', 'institution']
    date_hierarchy = 'date'
