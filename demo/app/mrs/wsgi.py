"""What uWSGI serves."""
import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mrs.settings')
application = get_wsgi_application()
logging.getLogger(__name__).info('serving version %s', settings.GIT_COMMIT)
