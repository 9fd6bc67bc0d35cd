"""Work that no visitor waits for: uWSGI's spoolers do it.

A task is a file in /app/spooler/NAME. It survives a restart, and is done again
when it fails for a reason that may pass.
"""
import json
import logging
import smtplib

from django.conf import settings
from django.core.mail.backends import smtp
from django.utils import timezone

try:
    import uwsgi
except ImportError:  # a management command: there is no spooler to hand work to
    uwsgi = None

log = logging.getLogger(__name__)


def put(spooler, body):
    """Hands body, which JSON can carry, to the spooler of that name."""
    uwsgi.spool({
        b'spooler': f'/app/spooler/{spooler}'.encode(),
        b'task': spooler.encode(),
        b'body': json.dumps(body).encode(),
    })


class EmailBackend(smtp.EmailBackend):
    """Sends by the mail spooler; directly, with errors shown, where there is none."""

    def send_messages(self, email_messages):
        if uwsgi is None:
            return super().send_messages(email_messages)
        for email in email_messages:
            put('mail', {
                'from': email.from_email,
                'to': email.recipients(),
                'message': email.message().as_bytes(linesep='\r\n').decode('utf-8', 'surrogateescape'),
            })
        return len(email_messages)


def send(email):
    """Sends what EmailBackend has put."""
    backend = smtp.EmailBackend()
    backend.open()
    try:
        backend.connection.sendmail(
            email['from'], email['to'], email['message'].encode('utf-8', 'surrogateescape'))
    finally:
        backend.close()
    log.info('sent a mail to %d recipients', len(email['to']))


def count_view(path):
    """Counts a page view, if there is a spooler to do it."""
    if uwsgi is None:
        return
    try:
        put('stat', {'at': timezone.now().isoformat(timespec='seconds'), 'path': path})
    except (OSError, ValueError) as error:  # a full disk must not cost the visitor the page
        log.error('a page view was not counted: %s', error)


def write_view(view):
    """Adds a page view to log/stat.log, one JSON object per line."""
    with open(settings.LOG_DIR / 'stat.log', 'a', encoding='utf-8') as file:
        file.write(json.dumps(view) + '\n')


TASKS = {b'mail': send, b'stat': write_view}


def run(task):
    """What uWSGI calls for each task; its result says whether to try again.

    uWSGI's own keys are text, those of put are bytes.
    """
    try:
        TASKS[task[b'task']](json.loads(task['body']))
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        log.error('gave up a mail that the mail server refused: %s', type(error).__name__)
    except (OSError, smtplib.SMTPException) as error:
        log.error('%s task failed, tried again later: %s', task[b'task'].decode(), error)
        return uwsgi.SPOOL_RETRY
    except Exception:
        log.exception('gave up a broken %r task', task.get(b'task'))
    return uwsgi.SPOOL_OK


if uwsgi is not None:
    uwsgi.spooler = run
