from django.apps import AppConfig


class HelpdeskConfig(AppConfig):
    """The site itself: settings, health, logs and the commands that run the processes."""

    name = "helpdesk"
    verbose_name = "Helpdesk"

    def ready(self) -> None:
        from helpdesk import checks  # noqa: F401 - importing registers them
