"""Settings, read from the environment; .env.example says what each variable is for. A variable with _FILE at its end
names a file that holds the value.

DEBUG is off unless it is set: a machine where nobody thought about it is a production machine.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from whitenoise.compress import Compressor

from helpdesk import logs, patience
from helpdesk.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Environment()
# What the process already has in its environment wins over the file. An empty ENV_FILE reads none.
if env_file := os.environ.get("ENV_FILE", str(BASE_DIR / ".env")):
    env.read_env(env_file, encoding="utf-8")

DEBUG = env.bool("DEBUG", default=False)

DEVELOPMENT_SECRET_KEY = "django-insecure-for-development-on-your-own-machine-only"  # noqa: S105
SECRET_KEY = env.str("SECRET_KEY", default="") or (DEVELOPMENT_SECRET_KEY if DEBUG else "")
if not DEBUG and (len(SECRET_KEY) < 50 or SECRET_KEY.startswith("django-insecure-")):
    raise ImproperlyConfigured(
        "SECRET_KEY is missing, too short or the one for development. Set it to 50 random characters or more:\n"
        "  python3 -c 'import secrets; print(secrets.token_urlsafe(50))'\n"
        "On your own machine set DEBUG=1 instead (make run does)."
    )

# Addresses. PUBLIC_URL is what people type; hosts, CSRF, cookies and HSTS follow from it.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000").rstrip("/")
HTTPS = PUBLIC_URL.startswith("https://")
# Health probes come to the machine's own address, whatever the site is called.
LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), *LOOPBACK_HOSTS]
if public_host := urlsplit(PUBLIC_URL).hostname:
    ALLOWED_HOSTS.append(public_host)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
# Only helpdesk.middleware.trusted_proxies lets this header through, from TRUSTED_PROXIES alone.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS and not DEBUG
SECURE_REDIRECT_EXEMPT = [r"^health(/|$)", r"^metrics$"]
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Preloading binds the whole domain for years: the domain's owner decides that, not one site on it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

INSTALLED_APPS = [
    "helpdesk",
    "botbridge",
    "tickets",
    "helpdesk.apps.SupervisorsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "helpdesk.apps.StaticFiles",
    "axes",
    "corsheaders",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "template_partials",
]

MIDDLEWARE = [
    "helpdesk.metrics.measured",
    "helpdesk.middleware.request_id",
    "helpdesk.middleware.trusted_proxies",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "helpdesk.middleware.bounded_bodies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "helpdesk.middleware.CompressPages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "helpdesk.middleware.private_pages",
    "helpdesk.middleware.ClosedByDefault",
    "tickets.middleware.SecondFactorFirst",
    "tickets.middleware.StaffOnly",
    "tickets.middleware.PresentAtDesk",
    "tickets.middleware.session_in_use",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "helpdesk.urls"
WSGI_APPLICATION = "helpdesk.wsgi.application"
ASGI_APPLICATION = "helpdesk.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "tickets.context.desk",
                "helpdesk.banner.trouble",
            ],
        },
    },
]

# People and sign-in.
AUTH_USER_MODEL = "tickets.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "tickets:login"
LOGIN_REDIRECT_URL = "tickets:queue"
LOGOUT_REDIRECT_URL = "tickets:login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# By account and address together: locking the account alone would let anyone lock its owner out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# Its lists in the admin would let attempts be deleted; a lock ends by itself.
AXES_ENABLE_ADMIN = False
# Beside the password, nothing that was being written or that lets somebody in stays in its rows.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "text", "step", "code"]
AXES_LOCKOUT_CALLABLE = "helpdesk.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "tickets.guesses.guesser"

# A supervisor without a second factor is sent to make one before anything else.
SUPERVISORS_NEED_SECOND_FACTOR = env.bool("SUPERVISORS_NEED_SECOND_FACTOR", default=False)

# Of a link to a new password, by mail or from a supervisor.
PASSWORD_RESET_TIMEOUT = int(timedelta(days=1).total_seconds())

# Cookies. The prefix makes browsers refuse the cookie from a sibling domain or over plain http.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
# Not the name it had: during an upgrade the processes of the version before go on with the sessions they know.
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session"
SESSION_COOKIE_SECURE = HTTPS
# A session ends when nobody has used it for a while, and some day in any case; a browser that was told to remember its
# person is given days for weekends.
SESSION_ENGINE = "tickets.sessions"
SESSION_IDLE = timedelta(hours=env.int("SESSION_IDLE_HOURS", default=12))
SESSION_REMEMBERED_IDLE = timedelta(hours=env.int("SESSION_REMEMBERED_IDLE_HOURS", default=72))
SESSION_LIFETIME = timedelta(days=env.int("SESSION_LIFETIME_DAYS", default=14))
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    },
}

# The API. Browsers of other sites may call it from the named origins alone, and never with the desk's cookies.
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOWED_ORIGINS = env.list("CORS_ORIGINS", default=["http://localhost:5173", "http://localhost:3000"])
CORS_ALLOW_CREDENTIALS = False
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tickets.api.authentication.KeyAuthentication",
        "tickets.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tickets.api.permissions.WorksHere"],
    "DEFAULT_PARSER_CLASSES": ["tickets.api.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["tickets.api.throttles.PerPerson", "tickets.api.throttles.PerServiceAccount"],
    "DEFAULT_THROTTLE_RATES": {
        "person": "600/min",
        "service_account": "1200/min",
        "login": "20/min",
        "refresh": "120/min",
    },
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "tickets.api.schema.Described",
    "EXCEPTION_HANDLER": "tickets.api.problems.handle",
}
# A key of its own, so that no other signature of the site's is ever good for a token. Changing it ends every sign-in.
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": env.str("JWT_SIGNING_KEY", default="") or salted_hmac("jwt", "", secret=SECRET_KEY).hexdigest(),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Helpdesk API",
    "VERSION": "1",
    "DESCRIPTION": "Tickets, messages and customers of a Telegram helpdesk. Refusals are problem details (RFC 9457).",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PREPROCESSING_HOOKS": ["tickets.api.schema.without_slashes"],
    "ENUM_NAME_OVERRIDES": {
        "Status": "tickets.models.Status",
        "SenderType": "tickets.models.Sender",
        "NewSenderType": ["manager", "note", "client"],
        "SettableStatus": ["open", "resolved"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "TAGS": [
        {"name": "auth", "description": "Signing in: a short access token and a refresh token that is good once."},
        {"name": "tickets", "description": "What customers asked."},
        {"name": "messages", "description": "Conversations and their files."},
        {"name": "customers", "description": "Who asked."},
        {"name": "events", "description": "What has happened, from where a reader left off."},
        {"name": "sessions", "description": "Where a customer's chat with the bot stands."},
        {"name": "catalog", "description": "Teams, topics and tags."},
    ],
}

# Seconds a query of the web's or the bot's may take on PostgreSQL.
DB_STATEMENT_TIMEOUT = env.int("DB_STATEMENT_TIMEOUT", default=15)

# Data. IMMEDIATE takes SQLite's write lock when a transaction begins: with the default, two processes that read and
# then write fail with "database is locked" at once instead of waiting for each other.
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
DATABASE = DATABASES["default"]
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: with NORMAL a power cut may take back a commit, and Telegram has been told that we have the message.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    Path(DATABASE["NAME"]).parent.mkdir(parents=True, exist_ok=True)
else:
    # A server that does not answer must not hold a request for minutes; the URL's own options win.
    limits = patience.options(DB_STATEMENT_TIMEOUT) if patience.is_answering(sys.argv) else {}
    DATABASE["OPTIONS"] = {"connect_timeout": 5, **limits, **DATABASE.get("OPTIONS", {})}
    DATABASE["CONN_MAX_AGE"] = 600
    DATABASE["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What is counted and shared for a while: throttles. Without Redis each web process counts by itself.
REDIS_URL = env.str("REDIS_URL", default="")
OWN_MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
# A Redis that hangs must not hold requests: what it counts is not worth a second of anybody's.
SHARED_MEMORY = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": REDIS_URL,
    "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
}
CACHES = {"default": SHARED_MEMORY if REDIS_URL else OWN_MEMORY, "local": {**OWN_MEMORY, "LOCATION": "local"}}

# Jobs behind the scenes: the broker of Celery's workers, where several machines share them.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="")

# Webhooks reach public addresses, and of our own networks those named here.
WEBHOOK_NETWORKS = env.list("WEBHOOK_NETWORKS", default=[])

# Files. Nothing serves MEDIA_ROOT by itself: every file goes through a view that checks who asks.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "media")))
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
# Ten files in one message; each is streamed to disk, so the form checks its size.
DATA_UPLOAD_MAX_NUMBER_FILES = 10
# Backups hold everything; nothing but the disk's owner may read them.
BACKUP_DIR = Path(env.str("BACKUP_DIR", default=str(VAR_DIR / "backups")))
BACKUP_KEEP = env.int("BACKUP_KEEP", default=7)
BACKUP_RECIPIENT = env.str("BACKUP_RECIPIENT", default="")
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False
# Maps are for developers' eyes: compressing those of Swagger UI would be most of the work of collecting.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "map"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Language and time.
LANGUAGE_CODE = env.str("DEFAULT_LANGUAGE", default="ru")
LANGUAGES = [("ru", "Русский"), ("kk", "Қазақша"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Almaty")
USE_TZ = True

# Telegram.
TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
# Telegram shows it with each update it brings to the webhook, whose address follows from it (botbridge.webhook).
TELEGRAM_WEBHOOK_SECRET = env.str("TELEGRAM_WEBHOOK_SECRET", default="")
TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org").rstrip("/")
# Where a Bot API server of one's own, run with --local, keeps the files it has brought.
TELEGRAM_LOCAL_FILES = env.str("TELEGRAM_LOCAL_FILES", default="").rstrip("/")
# How large a customer's file may be, and one to a customer (Bot API, "getFile", "Sending files" and "Using a Local Bot
# API Server").
TELEGRAM_DOWNLOAD_MB = 2000 if TELEGRAM_LOCAL_FILES else 20
TELEGRAM_UPLOAD_MB = 2000 if TELEGRAM_LOCAL_FILES else 50
BRAND_NAME = env.str("BRAND_NAME", default="Helpdesk")

# Mail. Without EMAIL_URL nothing is sent, and a forgotten password is a supervisor's to mend.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default=f"helpdesk@{public_host or 'localhost'}")

# The web's processes, for helpdesk.gunicorn: how many, and how many seconds each first tells its proxy that it ends.
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=2)
WEB_DRAIN_SECONDS = env.float("WEB_DRAIN_SECONDS", default=0.0)

# Monitoring. Nobody may read /metrics until one of these says who; the bot's process listens nowhere by itself.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.list("METRICS_NETWORKS", default=[])
BOT_METRICS = env.str("BOT_METRICS", default="")

# Where errors are reported besides; nothing leaves for it unless this is set.
SENTRY_DSN = env.str("SENTRY_DSN", default="")

# Logs.
LOG_DIR = env.str("LOG_DIR", default=str(VAR_DIR / "log"))
LOG_FORMAT = env.str("LOG_FORMAT", default=logs.LINE)
if LOG_FORMAT not in (logs.LINE, logs.JSON):
    raise ImproperlyConfigured(f"LOG_FORMAT is {LOG_FORMAT!r}. Write line, or json, or leave it out.")
LOG_REQUESTS = env.bool("LOG_REQUESTS", default=False)
LOGGING = logs.config(LOG_DIR, LOG_FORMAT, requests=LOG_REQUESTS)
