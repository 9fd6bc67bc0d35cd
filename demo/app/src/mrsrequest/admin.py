from django.contrib import admin
from django.utils import timezone

from djcall.models import Caller
from mrsattachment.models import MRSAttachment
from mrsrequest.models import MRSRequest


class AttachmentInline(admin.TabularInline):
    model = MRSAttachment
    extra = 0


@admin.register(MRSRequest)
class MRSRequestAdmin(admin.ModelAdmin):
    list_display = ['display_id', 'insured', 'caisse', 'status', 'expense', 'creation_datetime']
    list_filter = ['status', 'caisse']
    list_select_related = ['insured', 'caisse']
    raw_id_fields = ['insured', 'status_user']
    search_fields = ['=display_id', 'insured__last_name']
    inlines = [AttachmentInline]

    def save_model(self, request, obj, form, change):
        """A new status carries its date and agent, and the insured is told."""
        moved = 'status' in form.changed_data
        if moved:
            obj.status_datetime, obj.status_user = timezone.now(), request.user
        super().save_model(request, obj, form, change)
        if moved and change and obj.insured and obj.insured.email:
            Caller(callback='djcall.mail.send', kwargs={
                'subject': f'Votre demande {obj.display_id}',
                'body': f'Bonjour {obj.insured},\n\nVotre demande est maintenant {obj.get_status_display()}.\n',
                'to': [obj.insured.email],
            }).spool('mail')
