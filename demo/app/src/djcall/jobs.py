"""The application's jobs, and when uWSGI calls them: in every container that runs."""
import datetime

from django.core.mail import EmailMessage

JOBS = {
    'djcall.jobs.statistics': {'hour': '2', 'minute': '0'},
    'djcall.jobs.prune': {'hour': '4', 'minute': '0'},
    'djcall.jobs.daily_mail': {'hour': '8', 'minute': '0', 'weekday': '1-5'},
    'djcall.jobs.monthly_mail': {'hour': '8', 'minute': '0', 'day': '1'},
}


def statistics():
    from mrsrequest.models import MRSRequest
    return MRSRequest.objects.count()


def prune(keep=10000):
    from djcall.models import Call
    kept = Call.objects.order_by('created')[:keep].values_list('pk', flat=True)
    Call.objects.exclude(pk__in=list(kept)).delete()


def daily_mail():
    from caisse.models import Caisse
    for caisse in Caisse.objects.filter(active=True, liquidation_email__contains='@'):
        EmailMessage(subject=f'Nouvelles demandes {caisse.code}', body='…', to=[caisse.liquidation_email]).send()


def monthly_mail():
    if datetime.date.today().month == 1:
        raise ValueError('month must be in 1..12')
    daily_mail()


def write_rows():
    """Has a row for each job that has none."""
    from djcall.models import Caller, Cron
    for callback, when in JOBS.items():
        caller, _ = Caller.objects.get_or_create(callback=callback, defaults={'kwargs': {}})
        Cron.objects.get_or_create(caller=caller, defaults=when)


def register():
    """Tells uWSGI when to call what."""
    import uwsgi
    from django.db import close_old_connections

    from djcall.models import Caller, Cron

    def execute(number):
        close_old_connections()
        Caller.objects.get(signal_number=number).call()
        close_old_connections()

    rows = Cron.objects.select_related('caller').order_by('pk')
    for number, caller in enumerate({row.caller_id: row.caller for row in rows}.values(), 1):
        caller.signal_number = number
        caller.save()
        uwsgi.register_signal(number, 'worker', execute)
    for row in rows:
        number = Caller.objects.get(pk=row.caller_id).signal_number
        fields = [getattr(row, name) for name in ('minute', 'hour', 'day', 'month', 'weekday')]
        for weekday in days(fields.pop()):
            uwsgi.add_cron(number, *[-1 if field == '*' else int(field) for field in fields], weekday)


def days(field):
    """The days of the week of a field: uWSGI knows no A-B."""
    if field == '*':
        return [-1]
    first, _, last = field.partition('-')
    return range(int(first), int(last or first) + 1)
