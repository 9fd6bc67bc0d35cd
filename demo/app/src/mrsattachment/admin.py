from django.contrib import admin

from mrsattachment.models import MRSAttachment


@admin.register(MRSAttachment)
class MRSAttachmentAdmin(admin.ModelAdmin):
    list_display = ['filename', 'mrsrequest', 'creation_datetime']
    list_select_related = ['mrsrequest']
    raw_id_fields = ['mrsrequest']
