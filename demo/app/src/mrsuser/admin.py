from django.contrib import admin

from mrsuser.models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ['username', 'first_name', 'last_name', 'is_superuser', 'is_active']
    exclude = ['password']
    search_fields = ['username', 'email']
