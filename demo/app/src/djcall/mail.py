"""Mail, as one of the calls."""
from django.core.mail import EmailMessage


def send(subject, body, to):
    EmailMessage(subject=subject, body=body, to=to).send()
