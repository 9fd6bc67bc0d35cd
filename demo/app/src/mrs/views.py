"""The pages that visitors see."""
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.db.models import Avg, Count
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from djcall.models import Caller
from mrsattachment.models import MRSAttachment
from mrsrequest.models import MRSRequest
from person.models import Person


@require_safe
def index(request):
    """The front page, for which all rows are read."""
    return render(request, 'index.html', {
        'host': settings.HOST,
        'team_email': settings.TEAM_EMAIL,
        'people': Person.objects.count(),
        'requests': MRSRequest.objects.aggregate(number=Count('*'), expense=Avg('expensevp')),
    })


@require_safe
def maintenance(request):
    return HttpResponse('<h1>Site en maintenance</h1>')


@require_safe
def manifest(request):
    return JsonResponse({'name': 'MRS'})


def demande(request):
    """A form; the one who fills it in gets a mail."""
    if request.method == 'POST':
        Caller(callback='djcall.mail.send', kwargs={
            'subject': 'Votre demande', 'body': 'Bonjour', 'to': [request.POST.get('email') or 'nobody@example.org'],
        }).spool('mail')
        return redirect('/demande?ok')
    return render(request, 'demande.html')


@require_safe
@staff_member_required
def attachment(request, pk):
    """A piece of evidence, for the agents only."""
    found = get_object_or_404(MRSAttachment, pk=pk)
    try:
        return FileResponse(found.attachment_file.open(), as_attachment=True, filename=found.filename)
    except (FileNotFoundError, ValueError):  # ValueError: the row names no file
        raise Http404('the file is missing')
