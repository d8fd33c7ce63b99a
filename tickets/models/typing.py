from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.customers import Customer
from tickets.models.tickets import Ticket


class Typing(models.Model):
    """That a manager writes to this customer at this moment. Worth nothing some seconds later."""

    customer = models.OneToOneField(
        Customer, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("клиент")
    )
    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("обращение"),
        db_index=False,  # nobody asks by it
    )
    typed_at = models.DateTimeField(_("пишут"), default=timezone.now)
    shown_at = models.DateTimeField(_("показано клиенту"), null=True, blank=True)

    class Meta:
        verbose_name = _("менеджер пишет")
        verbose_name_plural = _("менеджеры пишут")
        indexes = [
            # Bridge: who is written to just now.
            models.Index(fields=["typed_at"], name="typing_now"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}"
