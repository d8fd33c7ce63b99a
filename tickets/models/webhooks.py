"""Who is told of events, and what came of telling them."""

import base64
import secrets

from django.conf import settings
from django.core.validators import URLValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from tickets.models.people import User
from tickets.models.tickets import Event


def new_seed() -> str:
    return secrets.token_hex(16)


class WebhookOff(models.TextChoices):
    """Why a webhook is told nothing."""

    BY_HAND = "by_hand", _("Выключен вручную")
    FAILING = "failing", _("Трое суток не отвечал")
    UNWANTED = "unwanted", _("Получатель отказался (410)")


class Webhook(models.Model):
    """Somebody else's program that is told of events: of all from `reached` on, in their order, each at least once.

    It hears ids and enums, never anybody's words, whatever the ticket's team: whoever sets one up decides for the
    company.
    """

    name = models.CharField(_("название"), max_length=100)
    address = models.CharField(
        _("адрес"), max_length=500, validators=[URLValidator(schemes=["https", "http"])], help_text=_("https://…")
    )
    kinds = models.JSONField(_("о чём сообщать"), default=list, blank=True, help_text=_("Ничего не выбрано: обо всём."))
    seed = models.CharField(max_length=32, default=new_seed, editable=False)
    reached = models.PositiveBigIntegerField(_("сообщено до события"), default=0, editable=False)
    off = models.CharField(_("выключен"), max_length=8, choices=WebhookOff.choices, blank=True, editable=False)
    failing_since = models.DateTimeField(_("не отвечает с"), null=True, blank=True, editable=False)
    arrived_at = models.DateTimeField(_("последнее дошло"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("кто создал"))
    created_at = models.DateTimeField(_("создан"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("вебхук")
        verbose_name_plural = _("вебхуки")

    def __str__(self) -> str:
        return self.name

    @property
    def secret(self) -> str:
        """What requests are signed with, as Standard Webhooks writes it. Made of SECRET_KEY and the row's seed, so
        that a copy of the database alone signs nothing.
        """
        key = salted_hmac("tickets.Webhook", self.seed, secret=settings.SECRET_KEY, algorithm="sha256").digest()
        return "whsec_" + base64.b64encode(key).decode()


class WebhookCall(models.Model):
    """One attempt to tell a webhook of an event. Kept for a month."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="calls", verbose_name=_("вебхук"))
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="+", verbose_name=_("событие"), db_index=False
    )
    status = models.PositiveSmallIntegerField(_("ответ"), null=True, blank=True)
    error = models.CharField(_("ошибка"), max_length=200, blank=True)
    answer = models.CharField(_("начало ответа"), max_length=500, blank=True)
    milliseconds = models.PositiveIntegerField(_("заняло, мс"))
    is_repeat = models.BooleanField(_("по просьбе"), default=False)
    made_at = models.DateTimeField(_("когда"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("вызов вебхука")
        verbose_name_plural = _("вызовы вебхуков")
        indexes = [
            # Jobs: what is a month old, to prune.
            models.Index(fields=["made_at"], name="webhook_call_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id}: {self.event_id}"

    @property
    def arrived(self) -> bool:
        return not self.error
