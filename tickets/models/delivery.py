from django.db import models
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.customers import Customer
from tickets.models.messages import Message
from tickets.models.people import User


class Lane(models.IntegerChoices):
    """Who goes first when the bot's own limit is reached. Within one chat the order of messages holds."""

    REPLY = 1, _("Ответ менеджера")
    ANSWER = 2, _("Ответ на кнопку")
    RECEIPT = 3, _("Квитанция")
    MASS = 4, _("Рассылка")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("Ждёт отправки")
    SENDING = "sending", _("Отправляется")
    SENT = "sent", _("Доставлено в Telegram")
    UNKNOWN = "unknown", _("Telegram не ответил, сообщение могло не дойти")
    HELD = "held", _("Ждёт вашего решения")
    FAILED = "failed", _("Не доставлено")
    CANCELLED = "cancelled", _("Отозвано")


class Decision(models.TextChoices):
    """What a person decided about a delivery whose fate Telegram did not tell, or of which a part has left."""

    ARRIVED = "arrived", _("Отмечено дошедшим")
    RESENT = "resent", _("Отправлено ещё раз")
    LEFT = "left", _("Остальное не отправлено")


class Reason(models.TextChoices):
    """Why a delivery is held, failed or cancelled. The bridge maps Telegram's words to these."""

    BLOCKED = "blocked", _("Клиент остановил бота")
    DEACTIVATED = "deactivated", _("Аккаунт клиента удалён")
    STALE = "stale", _("Не ушло за 30 минут")
    TOO_LONG = "too_long", _("Слишком длинное сообщение")
    TOO_BIG = "too_big", _("Файл слишком большой для Telegram")
    BAD_FILE = "bad_file", _("Telegram не принял файл")
    NO_CHAT = "no_chat", _("Клиент ещё не писал боту")
    NO_VOICE = "no_voice", _("Клиент не принимает голосовые сообщения")
    REFUSED = "refused", _("Telegram не принял сообщение")
    WITHDRAWN = "withdrawn", _("Отозвано менеджером")
    UNDONE = "undone", _("Действие отменено")
    EXPIRED = "expired", _("Устарело")
    RESTORED = "restored", _("Восстановлено из резервной копии: могло уйти после неё")


def _written_out(value: models.TextChoices) -> RawSQL:
    """A word of ours inside the SQL itself: of a parameter SQLite cannot tell that a partial index answers for it."""
    return RawSQL(f"'{value.value}'", ())  # noqa: S611  # our own words


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def unsettled(self) -> "DeliveryQuerySet":
        """What the index `delivery_unsettled` holds."""
        return self.filter(state__in=[_written_out(state) for state in Delivery.UNSETTLED])

    def begun(self) -> "DeliveryQuerySet":
        """What the index `delivery_begun` holds: a piece has left, and the others wait for their turn."""
        return self.filter(state=_written_out(DeliveryState.QUEUED), parts_sent__gt=RawSQL("0", ()))

    def marked_arrived(self, customer_id: int) -> "DeliveryQuerySet":
        """What a person, not Telegram, says has reached this customer."""
        arrived = self.filter(state=_written_out(DeliveryState.UNKNOWN), decision=_written_out(Decision.ARRIVED))
        return arrived.filter(customer=customer_id)


class Delivery(models.Model):
    """What must reach the customer: one per message of ours. Its state is what the desk says about that message.

    `parts_sent` counts the message's parts Telegram has accepted (a part is one attachment, or one piece of the text
    where there is none), so that sending again repeats only what may be missing. `parts_tried` counts those the last
    request carried: several files of an album arrive together, or are in doubt together.
    """

    #: Not at an end: what the index `delivery_unsettled` holds.
    UNSETTLED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD)
    #: Why a reply is held until its customer lets the bot in again.
    UNREACHABLE = (Reason.BLOCKED, Reason.DEACTIVATED)

    message = models.OneToOneField(
        Message, on_delete=models.PROTECT, primary_key=True, related_name="delivery", verbose_name=_("сообщение")
    )
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        related_name="deliveries",
        verbose_name=_("клиент"),
        db_index=False,  # delivery_unsettled below begins with it
    )
    lane = models.PositiveSmallIntegerField(_("очередь"), choices=Lane.choices)
    state = models.CharField(_("состояние"), max_length=9, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    reason = models.CharField(_("причина"), max_length=16, choices=Reason.choices, blank=True)
    parts_sent = models.PositiveSmallIntegerField(_("принято частей"), default=0)
    parts_tried = models.PositiveSmallIntegerField(_("частей в последней попытке"), default=1, db_default=1)
    queued_at = models.DateTimeField(_("в очереди с"), default=timezone.now)
    due_at = models.DateTimeField(_("не раньше"), default=timezone.now)
    expires_at = models.DateTimeField(_("не позже"), null=True, blank=True)
    settled_at = models.DateTimeField(_("решено"), null=True, blank=True)
    decision = models.CharField(_("решение"), max_length=7, choices=Decision.choices, blank=True)
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("кто решил")
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("доставка")
        verbose_name_plural = _("доставки")
        indexes = [
            # Outbox: the head of each chat's queue.
            models.Index(
                fields=["customer", "message"],
                condition=models.Q(state__in=[DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD]),
                name="delivery_unsettled",
            ),
            # Outbox and health: what is due, best lane first; the oldest unsent.
            models.Index(
                fields=["lane", "due_at"],
                condition=models.Q(state=DeliveryState.QUEUED),
                name="delivery_due",
            ),
            # Outbox: the message of a chat of which a piece has left and others have not.
            models.Index(
                fields=["customer", "queued_at", "message"],
                condition=models.Q(state=DeliveryState.QUEUED, parts_sent__gt=0),
                name="delivery_begun",
            ),
            # Inbox: the replies to a customer that a person, not Telegram, says have arrived.
            models.Index(
                fields=["customer", "message"],
                condition=models.Q(state=DeliveryState.UNKNOWN, decision=Decision.ARRIVED),
                name="delivery_marked_arrived",
            ),
            # Admin: what is in trouble, newest first. Health: what is held.
            models.Index(
                fields=["state", "message"],
                condition=models.Q(state__in=[DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED]),
                name="delivery_in_trouble",
            ),
            # Health and metrics: replies a person has to decide about. What was decided stays in its state for ever.
            models.Index(
                fields=["state"],
                condition=models.Q(
                    lane=Lane.REPLY, decision="", state__in=[DeliveryState.UNKNOWN, DeliveryState.FAILED]
                ),
                name="delivery_to_decide",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.get_state_display()}"

    @property
    def needs_decision(self) -> bool:
        """Whether the desk must ask its manager what to do about this message."""
        if self.lane != Lane.REPLY:
            return False
        undecided = self.state in (DeliveryState.UNKNOWN, DeliveryState.FAILED) and not self.decision
        return undecided or self.state == DeliveryState.HELD

    @property
    def can_be_resent(self) -> bool:
        """Whether what may be missing can be sent as a new message: all of an unsure one, the rest of a broken one."""
        unsure = self.state == DeliveryState.UNKNOWN
        broken_off = self.state == DeliveryState.FAILED and self.parts_sent > 0
        return self.lane == Lane.REPLY and not self.decision and (unsure or broken_off)

    @property
    def can_be_left(self) -> bool:
        """Whether the customer has the first parts, and the rest waits for somebody to say whether it shall go too."""
        broken_off = self.state in (DeliveryState.HELD, DeliveryState.FAILED) and self.parts_sent > 0
        return self.lane == Lane.REPLY and not self.decision and broken_off

    @property
    def can_be_changed(self) -> bool:
        """Whether the words may still be edited or withdrawn: nothing of them has reached Telegram."""
        unsent = self.state in (DeliveryState.QUEUED, DeliveryState.HELD, DeliveryState.FAILED)
        return self.lane == Lane.REPLY and unsent and self.parts_sent == 0
