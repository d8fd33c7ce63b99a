import django.contrib.admin.apps
from django.apps import AppConfig


class HelpdeskConfig(AppConfig):
    """The site itself: settings, health, logs and the commands that run the processes."""

    name = "helpdesk"
    verbose_name = "Helpdesk"
    default = True

    def ready(self) -> None:
        from helpdesk import checks  # noqa: F401 - importing registers them


class SupervisorsAdminConfig(django.contrib.admin.apps.AdminConfig):
    """Django's admin with our site in place of the stock one."""

    default = False
    default_site = "helpdesk.admin.SupervisorsSite"
