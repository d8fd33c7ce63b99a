from django.apps import AppConfig

from botbridge import lazy_types


class BotbridgeConfig(AppConfig):
    """The bridge between the domain and Telegram's Bot API."""

    name = "botbridge"
    verbose_name = "Telegram"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        lazy_types.build_when_used()
