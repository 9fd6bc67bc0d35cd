"""Who gets an answer, in the order of settings.MIDDLEWARE."""
import base64
import binascii
import logging

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse
from django.shortcuts import render

log = logging.getLogger(__name__)
LOOPBACK = ('127.0.0.1', '::1')
DATABASE_DOWN = (InterfaceError, OperationalError)


def unavailable(request, reason):
    """A page that says the service is away for now."""
    response = render(request, 'unavailable.html', {'reason': reason}, status=503)
    response['Retry-After'] = '60'
    response._has_been_logged = True  # expected: not worth a mail to the admins
    return response


def database_down(request, error):
    """The page for a database that doesn't answer, with the cause in the log."""
    log.error('the database does not answer: %s', str(error).strip())
    return unavailable(request, 'La base de données ne répond pas.')


class Health:
    """Answers /health, also without basic auth and during maintenance.

    From inside the container it answers whatever ALLOWED_HOSTS is.
    """

    def __init__(self, get_response):
        self.get_response = get_response
        self.health = AllowedHost(self.respond)

    def __call__(self, request):
        if request.path != '/health':
            return self.get_response(request)
        if request.META.get('REMOTE_ADDR') in LOOPBACK:
            return self.respond(request)
        return self.health(request)

    @staticmethod
    def respond(request):
        try:
            with connection.cursor() as cursor:
                cursor.execute('SELECT 1')
            database = 'ok'
        except DATABASE_DOWN as error:
            log.error('the database does not answer: %s', str(error).strip())
            database = 'unreachable'
        ok = database == 'ok'
        response = JsonResponse(
            {'status': 'ok' if ok else 'error', 'database': database, 'version': settings.GIT_COMMIT},
            status=200 if ok else 503,
        )
        response['Cache-Control'] = 'no-store'
        response._has_been_logged = True  # said above, in one line
        return response


class AllowedHost:
    """Refuses with 403, as the cookbook promises, where Django says 400."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        try:
            request.get_host()
        except DisallowedHost:
            log.warning('refused the host %r', request.META.get('HTTP_HOST', '')[:200])
            return HttpResponseForbidden('403: host refused\n', content_type='text/plain')
        return self.get_response(request)


class Maintenance:
    """Answers 503 to everybody while MAINTENANCE_ENABLE is set."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if settings.MAINTENANCE_ENABLE:
            return unavailable(request, 'Maintenance en cours.')
        return self.get_response(request)


class DatabaseDown:
    """Turns a view's lost database into a 503 page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if isinstance(exception, DATABASE_DOWN):
            return database_down(request, exception)
        return None


class BasicAuth:
    """Asks for the name and password of an active user in the database."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if settings.BASICAUTH_DISABLE:
            return self.get_response(request)
        try:
            user = authenticate(request, **credentials(request.META.get('HTTP_AUTHORIZATION', '')))
        except DATABASE_DOWN as error:
            return database_down(request, error)
        if user is None:
            response = HttpResponse('401: a user is asked for\n', status=401, content_type='text/plain')
            response['WWW-Authenticate'] = 'Basic realm="MRS", charset="UTF-8"'
            return response
        return self.get_response(request)


def credentials(header):
    """The username and password in an Authorization header, empty where there are none."""
    scheme, _, encoded = header.partition(' ')
    if scheme.lower() != 'basic':
        return {}
    try:
        username, colon, password = base64.b64decode(encoded).decode().partition(':')
    except (binascii.Error, UnicodeDecodeError):
        return {}
    if not colon or '\0' in username:
        return {}
    return {'username': username, 'password': password}
