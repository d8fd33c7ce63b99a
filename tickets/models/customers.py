from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.people import Language

MASKABLE_DIGITS = 10  # a subscriber's number without its country code, as in Kazakhstan; shorter ones are hidden whole


class Customer(models.Model):
    """A person who writes to the bot. Without a Telegram id only when erased: the tombstone keeps tickets whole."""

    telegram_user_id = models.BigIntegerField(_("номер в Telegram"), null=True, blank=True, unique=True)
    name = models.CharField(_("имя"), max_length=200, blank=True)
    username = models.CharField(_("имя пользователя"), max_length=64, blank=True)
    language = models.CharField(_("язык"), max_length=2, choices=Language.choices, default=Language.RU)
    phone = models.CharField(_("телефон"), max_length=20, blank=True)
    phone_verified_at = models.DateTimeField(_("телефон подтверждён"), null=True, blank=True)
    memo = models.CharField(_("памятка"), max_length=500, blank=True)
    stopped_bot_at = models.DateTimeField(_("остановил бота"), null=True, blank=True)
    # By Telegram's clock: what tells of an earlier stop, and comes only afterwards, tells nothing of now.
    returned_at = models.DateTimeField(null=True, blank=True, editable=False)
    flooded_at = models.DateTimeField(_("писал слишком часто"), null=True, blank=True)
    muted_at = models.DateTimeField(_("заглушён"), null=True, blank=True)
    erased_at = models.DateTimeField(_("данные удалены"), null=True, blank=True)
    created_at = models.DateTimeField(_("клиент с"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("клиент")
        verbose_name_plural = _("клиенты")
        constraints = [
            models.CheckConstraint(condition=models.Q(telegram_user_id__gt=0), name="customer_telegram_id_positive"),
            models.CheckConstraint(
                condition=models.Q(erased_at__isnull=False) | models.Q(telegram_user_id__isnull=False),
                name="customer_known_or_erased",
            ),
        ]
        indexes = [
            # Admin: customers by name.
            models.Index(fields=["name", "id"], name="customer_by_name"),
            # Admin: who wrote too often and who is muted, a few among all, newest first.
            models.Index(fields=["-id"], condition=models.Q(flooded_at__isnull=False), name="customer_flooded"),
            models.Index(fields=["-id"], condition=models.Q(muted_at__isnull=False), name="customer_muted"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The customer's name as Telegram gave it, or a neutral word where there is none."""
        return self.name or (f"@{self.username}" if self.username else str(_("Без имени")))

    @property
    def is_muted(self) -> bool:
        """Whether what this customer writes is kept without calling anybody to it."""
        return self.muted_at is not None

    @property
    def masked_phone(self) -> str:
        """The phone with its middle hidden, so that a glance over the shoulder copies nothing."""
        digits = self.phone.removeprefix("+")
        if len(digits) < MASKABLE_DIGITS:
            return "•••" if digits else ""
        country, start, end = digits[:-10], digits[-10:-7], digits[-4:]
        plus = "+" if self.phone.startswith("+") else ""
        return f"{plus}{country} {start} ••• {end[:2]} {end[2:]}".strip()
