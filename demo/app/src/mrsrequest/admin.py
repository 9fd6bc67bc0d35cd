from django.contrib import admin
from django.utils import timezone

from djcall.models import Caller
from mrsattachment.admin import download
from mrsrequest.models import PMT, Bill, MRSRequest, MRSRequestLogEntry, Transport


class TransportInline(admin.TabularInline):
    model = Transport
    extra = 0


class Shown(admin.TabularInline):
    """Rows that nobody changes here."""

    def has_add_permission(self, request, obj=None):
        return False

    has_change_permission = has_delete_permission = has_add_permission


class BillInline(Shown):
    model = Bill
    fields = readonly_fields = [download, 'mode']


class PMTInline(Shown):
    model = PMT
    fields = readonly_fields = [download]


class LogInline(Shown):
    model = MRSRequestLogEntry
    fields = ['datetime', 'action', 'comment', 'user']


@admin.register(MRSRequest)
class MRSRequestAdmin(admin.ModelAdmin):
    list_display = ['display_id', 'insured', 'caisse', 'status', 'expensevp', 'creation_datetime']
    list_filter = ['status', 'caisse']
    list_select_related = ['insured', 'caisse']
    raw_id_fields = ['insured', 'status_user']
    search_fields = ['=display_id', 'insured__last_name']
    inlines = [TransportInline, PMTInline, BillInline, LogInline]

    def save_model(self, request, obj, form, change):
        """A new status carries its date and agent, and the insured is told."""
        moved = 'status' in form.changed_data
        if moved:
            obj.status_datetime, obj.status_user = timezone.now(), request.user
        super().save_model(request, obj, form, change)
        if moved:
            MRSRequestLogEntry.objects.create(
                mrsrequest=obj, user=request.user, action=obj.status, comment=obj.get_status_display())
        if moved and change and obj.insured and obj.insured.email:
            Caller(callback='djcall.mail.send', kwargs={
                'subject': f'Votre demande {obj.display_id}',
                'body': f'Bonjour {obj.insured},\n\nVotre demande est maintenant {obj.get_status_display()}.\n',
                'to': [obj.insured.email],
            }).spool('mail')
