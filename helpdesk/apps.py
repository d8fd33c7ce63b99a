import django.contrib.admin.apps
import django.contrib.staticfiles.apps
from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_finished


class HelpdeskConfig(AppConfig):
    """The site itself: settings, health, logs and the commands that run the processes."""

    name = "helpdesk"
    verbose_name = "Helpdesk"
    default = True

    def ready(self) -> None:
        from helpdesk import checks  # noqa: F401 - importing registers them
        from helpdesk.jobs import admin  # noqa: F401 - importing registers it
        from helpdesk.middleware import forget_request

        request_finished.connect(forget_request)
        if settings.SENTRY_DSN:
            from helpdesk import sentry

            sentry.start(settings.SENTRY_DSN)


class StaticFiles(django.contrib.staticfiles.apps.StaticFilesConfig):
    """Static files without those of a second reader of API documents, which nothing of ours shows."""

    default = False
    ignore_patterns = [*django.contrib.staticfiles.apps.StaticFilesConfig.ignore_patterns, "redoc"]


class SupervisorsAdminConfig(django.contrib.admin.apps.AdminConfig):
    """Django's admin with our site in place of the stock one."""

    default = False
    default_site = "helpdesk.admin.SupervisorsSite"
