from django.contrib import admin
from django.utils.html import format_html

from mrsattachment.models import MRSAttachment


def download(found):
    """The link to the file."""
    return format_html('<a href="{}">{}</a>', found.get_absolute_url(), found.filename)


download.short_description = 'fichier'


@admin.register(MRSAttachment)
class MRSAttachmentAdmin(admin.ModelAdmin):
    list_display = ['id', download, 'mrsrequest_uuid', 'creation_datetime']
    search_fields = ['=mrsrequest_uuid']
