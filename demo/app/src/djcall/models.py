"""Calls that no visitor waits for: rows in the database, and files that name them in uWSGI's spoolers."""
import base64
import logging
import pickle
import traceback

from django.db import close_old_connections, models, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

try:
    import uwsgi
except ImportError:  # a management command: what is spooled runs there and then
    uwsgi = None

log = logging.getLogger('djcall')
CREATED, SPOOLED, STARTED, SUCCESS, RETRYING, FAILURE, UNSPOOLABLE = range(7)


class Pickled(models.TextField):
    """A value, pickled, in base64: no search in the text finds what is in it."""

    def from_db_value(self, value, expression, connection):
        return None if value is None else pickle.loads(base64.b64decode(value))

    def get_prep_value(self, value):
        return None if value is None else base64.b64encode(pickle.dumps(value)).decode()


class Metadata(models.Model):
    created = models.DateTimeField(default=timezone.now, db_index=True)
    spooled = models.DateTimeField(null=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    parent = models.ForeignKey('self', models.CASCADE, null=True)
    status = models.IntegerField(default=CREATED, db_index=True)

    class Meta:
        abstract = True

    def becomes(self, status):
        self.status = status
        moment = {SPOOLED: 'spooled', STARTED: 'started'}.get(status, 'ended')
        setattr(self, moment, timezone.now())
        self.save()


class Caller(Metadata):
    """What is to be called, and with what."""

    kwargs = Pickled(null=True)
    callback = models.CharField(max_length=255, db_index=True)
    max_attempts = models.IntegerField(default=0)
    spooler = models.CharField(max_length=100, null=True)
    priority = models.IntegerField(null=True)
    signal_number = models.IntegerField(null=True)

    def call(self):
        self.save()
        Call.objects.create(caller=self).call()

    def spool(self, spooler=None):
        self.spooler = spooler or self.spooler
        self.becomes(SPOOLED)
        call = Call.objects.create(caller=self)
        if uwsgi is None:
            call.call()
            return
        file = {b'call': str(call.pk).encode()}
        for folder in uwsgi.spoolers:
            folder = folder if isinstance(folder, bytes) else folder.encode()
            if self.spooler and folder.endswith(self.spooler.encode()):
                file[b'spooler'] = folder
        transaction.on_commit(lambda: uwsgi.spool(file))


class Call(Metadata):
    """One attempt."""

    caller = models.ForeignKey(Caller, models.CASCADE)
    result = Pickled(null=True)
    exception = models.TextField(default='')

    def call(self):
        self.becomes(STARTED)
        self.caller.becomes(STARTED)
        try:
            self.result = import_string(self.caller.callback)(**self.caller.kwargs or {})
        except Exception:
            self.exception = traceback.format_exc()
            self.becomes(FAILURE)
            self.caller.becomes(RETRYING)
            log.exception('call %d of %s', self.pk, self.caller.callback)
            raise
        self.becomes(SUCCESS)
        self.caller.becomes(SUCCESS)
        log.info('call %d of %s: success', self.pk, self.caller.callback)


class Cron(models.Model):
    """When a caller is called, in the fields of cron(5): *, N, -N or A-B."""

    caller = models.ForeignKey(Caller, models.CASCADE)
    minute = models.CharField(max_length=50, default='*')
    hour = models.CharField(max_length=50, default='*')
    day = models.CharField(max_length=50, default='*')
    month = models.CharField(max_length=50, default='*')
    weekday = models.CharField(max_length=50, default='*')


def run(file):
    """What uWSGI calls for each file in a spooler. One whose call fails is tried again, for ever."""
    close_old_connections()
    try:
        call = Call.objects.filter(pk=int(file[b'call'])).select_related('caller').first()
        if call is None:
            log.error('call %s is not in the database', file[b'call'].decode())
        else:
            call.call()
    finally:
        close_old_connections()
    return uwsgi.SPOOL_OK


if uwsgi is not None:
    uwsgi.spooler = run
