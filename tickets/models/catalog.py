from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tickets.models.people import Team


class Topic(models.Model):
    """What a question is about, offered to the customer as a button and shown on the ticket."""

    name = models.CharField(_("название"), max_length=60, unique=True)
    name_kk = models.CharField(_("название по-казахски"), max_length=60, blank=True)
    name_en = models.CharField(_("название по-английски"), max_length=60, blank=True)
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="topics",
        verbose_name=_("команда"),
        help_text=_("Кому достаются новые обращения с этой темой. Пусто: команде по умолчанию."),
    )
    position = models.PositiveSmallIntegerField(_("порядок"), default=0)
    retired_at = models.DateTimeField(_("выведена из работы"), null=True, blank=True)

    class Meta:
        verbose_name = _("тема")
        verbose_name_plural = _("темы")

    def __str__(self) -> str:
        return self.label()

    def label(self, language: str | None = None) -> str:
        """The topic's name in `language` (the active one by default), or in Russian where there is no translation."""
        translated = {"kk": self.name_kk, "en": self.name_en}.get(language or get_language() or "", "")
        return translated or self.name


class Tag(models.Model):
    """A word managers put on tickets to find and count them."""

    name = models.CharField(
        _("название"), max_length=40, unique=True, help_text=_("Строчными буквами: «Замена» и «замена» одно и то же.")
    )
    retired_at = models.DateTimeField(_("выведена из работы"), null=True, blank=True)

    class Meta:
        verbose_name = _("метка")
        verbose_name_plural = _("метки")

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def normal_form(name: str) -> str:
        """The one spelling under which a tag is kept: SQLite folds the case of Latin letters only."""
        return " ".join(name.lower().split())
