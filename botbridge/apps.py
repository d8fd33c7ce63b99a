from django.apps import AppConfig


class BotbridgeConfig(AppConfig):
    """The bridge between the domain and Telegram's Bot API."""

    name = "botbridge"
    verbose_name = "Telegram"
    default_auto_field = "django.db.models.BigAutoField"
