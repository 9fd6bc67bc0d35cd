"""Who gets an answer, at the end of settings.MIDDLEWARE."""
import base64
import binascii
import os
from urllib.parse import unquote_plus

from django.conf import settings
from django.contrib.auth import authenticate, logout
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import resolve


class BasicAuth:
    """Asks for the name and password of an active user, unless the visitor has passed before."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not self.passes(request):
            response = HttpResponse('<h1>Authorization Required</h1>', status=401)
            response['WWW-Authenticate'] = 'Basic realm="MRS"'
            return response
        return self.get_response(request)

    @staticmethod
    def passes(request):
        if os.environ.get('BASICAUTH_DISABLE') or settings.DEBUG:
            return True
        if request.session.get('authorized') or request.user.is_authenticated:
            return True
        given = credentials(request.META.get('HTTP_AUTHORIZATION', ''))
        if not given or not authenticate(request, username=given[0], password=given[1]):
            return False
        request.session['authorized'] = True  # a row for each visitor without a cookie
        return True


def credentials(header):
    """The username and password in an Authorization header; None where there are none."""
    scheme, _, encoded = header.partition(' ')
    if scheme.lower() != 'basic':
        return None
    try:
        parts = base64.b64decode(encoded).decode().split(':')
    except (binascii.Error, UnicodeDecodeError):
        return None
    if len(parts) != 2:  # a password with a colon never passes
        return None
    return [unquote_plus(part) for part in parts]


class Maintenance:
    """Sends everybody to /maintenance/ while MAINTENANCE_ENABLE is set, but from where superusers act."""

    open = ['index', 'login', 'logout', 'maintenance']

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if settings.MAINTENANCE_ENABLE:
            match = resolve(request.path_info)
            if match.url_name not in self.open or match.namespace != 'admin' and match.url_name != 'maintenance':
                return redirect('maintenance')
            if request.user.is_authenticated and not request.user.is_superuser:
                logout(request)
        return self.get_response(request)
