from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TicketsConfig(AppConfig):
    """The domain and the desk."""

    name = "tickets"
    verbose_name = _("Обращения")
    default_auto_field = "django.db.models.BigAutoField"
