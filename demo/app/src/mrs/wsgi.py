"""What uWSGI serves: the static files by Python, whatever Host says, and the rest by Django."""
import mimetypes
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

django = get_wsgi_application()


def application(environ, start_response):
    def start(status, headers, exc_info=None):
        # What the tests tell versions apart by. The real application says nowhere which one it is.
        return start_response(status, headers + [('X-Demo-Commit', settings.GIT_COMMIT or '-')], exc_info)

    if environ['PATH_INFO'].startswith(settings.STATIC_URL):
        return static(environ['PATH_INFO'][len(settings.STATIC_URL):], start)
    return django(environ, start)


def static(name, start):
    path = os.path.normpath(os.path.join(settings.STATIC_ROOT, name))
    if not path.startswith(settings.STATIC_ROOT + '/') or not os.path.isfile(path):
        start('404 Not Found', [('Content-Type', 'text/plain')])
        return [b'Not Found']
    with open(path, 'rb') as file:
        body = file.read()
    start('200 OK', [('Content-Type', mimetypes.guess_type(path)[0] or 'application/octet-stream'),
                     ('Content-Length', str(len(body))), ('Cache-Control', 'public, max-age=7776000')])
    return [body]
