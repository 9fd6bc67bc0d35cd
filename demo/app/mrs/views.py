"""The pages that visitors see."""
from django.apps import apps
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.db import connection
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from mrs import spool
from mrsattachment.models import MRSAttachment

TABLES = (
    'caisse.Caisse', 'person.Person', 'mrsuser.User', 'mrsrequest.MRSRequest',
    'mrsattachment.MRSAttachment', 'sessions.Session', 'admin.LogEntry',
)


def count(label):
    """What a table is called, and how many rows it has."""
    model = apps.get_model(label)
    return {
        'label': str(model._meta.verbose_name_plural).capitalize(),
        'table': model._meta.db_table,
        'rows': model.objects.count(),
    }


@require_safe
def index(request):
    """The front page: which version runs, and what its database holds."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT current_database(), current_setting(%s), pg_database_size(current_database())',
                       ['server_version'])
        name, version, size = cursor.fetchone()
    response = render(request, 'index.html', {
        'commit': settings.GIT_COMMIT,
        'host': settings.HOST,
        'team_email': settings.TEAM_EMAIL,
        'tables': [count(label) for label in TABLES],
        'database': {'name': name, 'version': version, 'size': size},
    })
    spool.count_view(request.path)
    return response


@require_safe
@staff_member_required
def attachment(request, pk):
    """A piece of evidence, for the agents only."""
    found = get_object_or_404(MRSAttachment, pk=pk)
    try:
        return FileResponse(found.attachment_file.open(), as_attachment=True, filename=found.filename)
    except FileNotFoundError:
        raise Http404('the file is missing')
