"""Settings, all from the environment. An empty variable counts as unset."""
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name, default=''):
    """The variable's value, or default where it is unset or empty."""
    return os.environ.get(name, '').strip() or default


def env_flag(name):
    """Whether the variable says yes: 0, false, no and off do not."""
    return env(name).lower() not in ('', '0', 'false', 'no', 'off')


def env_list(name):
    """The variable's comma separated values."""
    return [value.strip() for value in env(name).split(',') if value.strip()]


def env_int(name, default):
    """The variable's value as a number."""
    try:
        return int(env(name, default))
    except ValueError:
        raise ImproperlyConfigured(f'{name} must be a number')


SECRET_KEY = env('SECRET_KEY')
if not SECRET_KEY:
    raise ImproperlyConfigured('SECRET_KEY is empty: set it in the environment')

DEBUG = env_flag('DEBUG')
GIT_COMMIT = env('GIT_COMMIT', 'demo')

# Who may ask.
ALLOWED_HOSTS = env_list('ALLOWED_HOSTS')
HOST = env('HOST')
PROTO = env('PROTO', 'http')
BASICAUTH_DISABLE = env_flag('BASICAUTH_DISABLE')
MAINTENANCE_ENABLE = env_flag('MAINTENANCE_ENABLE')
SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PROTO == 'https'
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = 'DENY'

INSTALLED_APPS = [
    'mrs',
    'caisse',
    'person',
    'mrsuser',
    'mrsrequest',
    'mrsattachment',
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.humanize',
    'django.contrib.messages',
    'django.contrib.sessions',
    'django.contrib.staticfiles',
]

MIDDLEWARE = [
    'mrs.middleware.Health',
    'mrs.middleware.AllowedHost',
    'mrs.middleware.Maintenance',
    'mrs.middleware.DatabaseDown',
    'mrs.middleware.BasicAuth',
    'django.middleware.security.SecurityMiddleware',
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
    'django.middleware.clickjacking.XFrameOptionsMiddleware',
]

ROOT_URLCONF = 'mrs.urls'
WSGI_APPLICATION = 'mrs.wsgi.application'
AUTH_USER_MODEL = 'mrsuser.User'
DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'

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
    'ENGINE': 'django.db.backends.postgresql',
    'HOST': env('DB_HOST', 'postgres'),
    'NAME': env('DB_NAME', 'mrs'),
    'USER': env('DB_USER', 'django'),
    'PASSWORD': env('DB_PASSWORD'),
    'OPTIONS': {'connect_timeout': 3},
}}

LANGUAGE_CODE = 'fr'
TIME_ZONE = 'Europe/Paris'
USE_I18N = USE_L10N = USE_TZ = True

STATIC_URL = '/static/'
STATIC_ROOT = BASE_DIR / 'static'
MEDIA_ROOT = env('ATTACHMENT_ROOT', str(BASE_DIR / 'attachments'))

EMAIL_BACKEND = 'mrs.spool.EmailBackend'
EMAIL_HOST = env('EMAIL_HOST', 'localhost')
EMAIL_PORT = env_int('EMAIL_PORT', 25)
EMAIL_HOST_USER = env('EMAIL_HOST_USER')
EMAIL_HOST_PASSWORD = env('EMAIL_HOST_PASSWORD')
EMAIL_USE_TLS = env_flag('EMAIL_USE_TLS')
EMAIL_USE_SSL = env_flag('EMAIL_USE_SSL')
EMAIL_TIMEOUT = 10
EMAIL_SUBJECT_PREFIX = '[MRS] '
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env('DEFAULT_FROM_EMAIL', 'mrs@localhost')
ADMINS = [(address.split('@')[0], address) for address in env_list('ADMINS')]
TEAM_EMAIL = env('TEAM_EMAIL')

LOG_DIR = BASE_DIR / 'log'
LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {'line': {'format': '{asctime} {levelname} {name}: {message}', 'style': '{'}},
    'handlers': {
        'console': {
            'class': 'logging.StreamHandler', 'formatter': 'line', 'stream': 'ext://sys.stdout',
        },
        # Opened anew when logrotate has moved it.
        'file': {
            'class': 'logging.handlers.WatchedFileHandler', 'formatter': 'line',
            'filename': LOG_DIR / 'django.log', 'encoding': 'utf-8', 'delay': True,
        },
        'admins': {'class': 'django.utils.log.AdminEmailHandler', 'level': 'ERROR'},
    },
    'root': {'handlers': ['console', 'file'], 'level': 'INFO'},
    'loggers': {
        'django': {'handlers': [], 'level': 'INFO', 'propagate': True},
        'django.request': {'handlers': ['admins'], 'level': 'INFO', 'propagate': True},
    },
}
