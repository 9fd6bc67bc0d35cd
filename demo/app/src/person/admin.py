from django.contrib import admin

from person.models import Person


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    list_display = ['last_name', 'first_name', 'birth_date', 'email']
    search_fields = ['last_name', 'first_name', 'email', 'nir']
