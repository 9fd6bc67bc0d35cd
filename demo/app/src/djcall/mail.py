"""Mail, as one of the calls."""
from django.core.mail import EmailMessage


def send(subject, body, to, reply_to=None):
    EmailMessage(subject=subject, body=body, to=to, reply_to=reply_to).send()
