"""Settings, all from the environment. Any text is true, 0 and False too; empty is false."""
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path('/app')


def flag(name):
    """Whether the variable has any text."""
    return bool(os.environ.get(name))


def need(name, default=None):
    """The variable's value, which must be there unless DEBUG is."""
    if name not in os.environ and not DEBUG:
        raise ImproperlyConfigured(f'{name} is required')
    return os.environ.get(name, default)


DEBUG = flag('DEBUG')
SECRET_KEY = need('SECRET_KEY', 'notsecret')
GIT_COMMIT = os.environ.get('GIT_COMMIT')

# Who may ask.
HOST = os.environ.get('HOST')
ALLOWED_HOSTS = (need('ALLOWED_HOSTS') or '*').split(',')
if HOST:
    ALLOWED_HOSTS.append(HOST)
INSTANCE = 'production' if HOST == 'mrs.beta.gouv.fr' else 'staging' if 'staging' in (HOST or '') else 'dev'
MAINTENANCE_ENABLE = flag('MAINTENANCE_ENABLE')
if os.environ.get('PROTO') == 'https':
    SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 180 * 86400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
X_FRAME_OPTIONS = 'DENY'

INSTALLED_APPS = [
    'mrs',
    'djcall',
    'caisse',
    'contact',
    'institution',
    'mrsattachment',
    'mrsemail',
    'mrsrequest',
    'mrsstat',
    'mrsuser',
    'person',
    'rating',
    # Of packages, the tables alone.
    'captcha',
    'denorm',
    'explorer',
    'security_headers',
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.humanize',
    'django.contrib.messages',
    'django.contrib.sessions',
    'django.contrib.staticfiles',
]

MIDDLEWARE = [
    'django.middleware.security.SecurityMiddleware',
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
    'django.middleware.clickjacking.XFrameOptionsMiddleware',
    'mrs.middleware.BasicAuth',
    'mrs.middleware.Maintenance',
]

ROOT_URLCONF = 'mrs.urls'
AUTH_USER_MODEL = 'mrsuser.User'

TEMPLATES = [{
    'BACKEND': 'django.template.backends.django.DjangoTemplates',
    'APP_DIRS': True,
    'OPTIONS': {'context_processors': [
        'django.template.context_processors.request',
        'django.contrib.auth.context_processors.auth',
        'django.contrib.messages.context_processors.messages',
    ]},
}]

DATABASES = {'default': {
    'ENGINE': os.environ.get('DB_ENGINE', 'django.db.backends.sqlite3'),
    'NAME': os.environ.get('DB_NAME', str(BASE_DIR / 'db.sqlite3')),
    'USER': os.environ.get('DB_USER'),
    'PASSWORD': os.environ.get('DB_PASSWORD'),
    'HOST': os.environ.get('DB_HOST', os.environ.get('POSTGRES_PORT_5432_TCP_ADDR')),
    'PORT': os.environ.get('DB_PORT'),
}}

LANGUAGE_CODE = 'fr'
TIME_ZONE = os.environ.get('TIME_ZONE', 'Europe/Paris')
USE_I18N = USE_L10N = USE_TZ = True

STATIC_URL = os.environ.get('STATIC_URL', '/static/')
STATIC_ROOT = os.environ.get('STATIC_ROOT', str(BASE_DIR / 'static'))
MEDIA_ROOT = ATTACHMENT_ROOT = os.environ.get('ATTACHMENT_ROOT', str(BASE_DIR / 'attachments'))

EMAIL_BACKEND = os.environ.get(
    'EMAIL_BACKEND', f'django.core.mail.backends.{"console" if DEBUG else "smtp"}.EmailBackend')
EMAIL_HOST = os.environ.get('EMAIL_HOST')
EMAIL_PORT = os.environ.get('EMAIL_PORT') or None
EMAIL_HOST_USER = os.environ.get('EMAIL_HOST_USER')
EMAIL_HOST_PASSWORD = os.environ.get('EMAIL_HOST_PASSWORD')
EMAIL_USE_TLS = flag('EMAIL_USE_TLS')
EMAIL_USE_SSL = flag('EMAIL_USE_SSL')
DEFAULT_FROM_EMAIL = os.environ.get('DEFAULT_FROM_EMAIL', 'from@example.com')
TEAM_EMAIL = os.environ.get('TEAM_EMAIL', 'team@example.com')

# The workers inherit the open files of the master.
LOG = os.environ.get('LOG', str(BASE_DIR / 'log'))
LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {'line': {'format': '{asctime} {levelname} {name}: {message}', 'style': '{'}},
    'handlers': {
        'console': {'class': 'logging.StreamHandler', 'formatter': 'line'},
        **{name: {
            'class': 'logging.FileHandler', 'formatter': 'line', 'level': level,
            'filename': os.path.join(LOG, f'{name}.log'), 'encoding': 'utf-8',
        } for name, level in {
            'django.error': 'ERROR', 'django.info': 'INFO', 'django.debug': 'DEBUG',
            'django.sql': 'DEBUG', 'django.request': 'INFO', 'djcall': 'INFO',
        }.items()},
    },
    'loggers': {
        'django': {'handlers': ['console', 'django.error', 'django.info'], 'level': 'INFO'},
        'django.request': {'handlers': ['django.request'], 'level': 'INFO'},
        'djcall': {'handlers': ['console', 'djcall'], 'level': os.environ.get('LOG_LEVEL', 'INFO')},
    },
}
