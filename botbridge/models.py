"""What the bridge remembers: where each chat stands, what Telegram told us, what we asked of Telegram."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models import Attachment, Customer, Delivery, DeliveryState, Lane, Language, Message, Ticket

MAX_REASON = 500


class BotStatus(models.Model):
    """One bot: the pace all its workers share, and how its connection to Telegram fares."""

    bot_id = models.BigIntegerField(_("бот"), primary_key=True)
    username = models.CharField(_("имя пользователя"), max_length=64, blank=True)
    next_send_at = models.DateTimeField(_("следующая отправка не раньше"), default=timezone.now)
    last_polled_at = models.DateTimeField(_("последний успешный опрос"), null=True, blank=True)
    last_error = models.CharField(_("последняя ошибка"), max_length=MAX_REASON, blank=True)
    last_error_at = models.DateTimeField(_("ошибка была"), null=True, blank=True)
    stopped_reason = models.CharField(_("почему остановлен"), max_length=MAX_REASON, blank=True)

    class Meta:
        verbose_name = _("состояние бота")
        verbose_name_plural = _("состояние бота")

    def __str__(self) -> str:
        return f"@{self.username}" if self.username else str(self.bot_id)


class ChatSession(models.Model):
    """Where one chat is in the bot's conversation. Its row is the lock that keeps the chat's messages in order."""

    bot_id = models.BigIntegerField(_("бот"))
    chat_id = models.BigIntegerField(_("чат"))
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("клиент"),
    )
    state = models.CharField(_("состояние разговора"), max_length=100, blank=True)
    data = models.JSONField(_("данные разговора"), default=dict, blank=True)
    current_ticket = models.ForeignKey(
        Ticket, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("текущее обращение")
    )
    pending_media = models.JSONField(
        _("альбом в пути"),
        default=list,
        blank=True,
        help_text=_("Альбом приходит по одному файлу; остальные идут в то же обращение."),
    )
    language = models.CharField(
        _("язык"),
        max_length=2,
        choices=Language.choices,
        blank=True,
        help_text=_("Язык чата, в котором нет клиента. У клиента язык свой."),
    )
    next_send_at = models.DateTimeField(_("следующая отправка не раньше"), default=timezone.now)
    handle_after = models.DateTimeField(_("обработка не раньше"), null=True, blank=True)
    # How much was said here lately (`botbridge.pace`).
    minute_since = models.DateTimeField(null=True, blank=True, editable=False)
    heard = models.IntegerField(default=0, db_default=0, editable=False)
    said = models.IntegerField(default=0, db_default=0, editable=False)
    told_joined_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("чат")
        verbose_name_plural = _("чаты")
        constraints = [
            # Inbox and outbox find and lock a chat by these two.
            models.UniqueConstraint(fields=["bot_id", "chat_id"], name="chat_session_once"),
        ]

    def __str__(self) -> str:
        return str(self.chat_id)


class Update(models.Model):
    """One thing Telegram told us, kept as it came. Only a committed row is ever acknowledged.

    `raw` is JSON in ASCII: PostgreSQL refuses NUL and lone surrogates, and one bad update would refuse its batch.
    `update_id` alone is not unique: Telegram may begin again anywhere after a week of silence (Bot API, "Update").
    """

    class State(models.TextChoices):
        STORED = "stored", _("Ждёт обработки")
        HANDLED = "handled", _("Обработано")
        PARKED = "parked", _("Отложено после ошибок")

    bot_id = models.BigIntegerField(_("бот"))
    update_id = models.BigIntegerField(_("номер в Telegram"))
    digest = models.CharField(_("отпечаток"), max_length=64)
    raw = models.TextField(_("как пришло"))
    chat_id = models.BigIntegerField(_("чат"), null=True, blank=True)
    state = models.CharField(_("состояние"), max_length=7, choices=State.choices, default=State.STORED)
    attempts = models.PositiveSmallIntegerField(_("попытки"), default=0)
    reason = models.CharField(_("причина"), max_length=MAX_REASON, blank=True)
    received_at = models.DateTimeField(_("получено"), default=timezone.now)
    handled_at = models.DateTimeField(_("обработано"), null=True, blank=True)
    settled_at = models.DateTimeField(_("разобрано человеком"), null=True, blank=True)

    class Meta:
        verbose_name = _("сообщение Telegram")
        verbose_name_plural = _("сообщения Telegram")
        constraints = [
            # A redelivery finds its first row.
            models.UniqueConstraint(fields=["bot_id", "update_id", "digest"], name="update_once"),
            models.CheckConstraint(
                condition=Q(state="parked") | Q(chat_id__isnull=False), name="update_unparked_has_chat"
            ),
        ]
        indexes = [
            # Inbox: the oldest update waiting; health: its age.
            models.Index(fields=["bot_id", "id"], condition=Q(state="stored"), name="update_to_handle"),
            # Inbox: the head of one chat.
            models.Index(fields=["bot_id", "chat_id", "id"], condition=Q(state="stored"), name="update_head_of_chat"),
            # Admin: what was ever parked, newest first.
            models.Index(fields=["-id"], condition=Q(state="parked"), name="update_parked"),
            # Banner, health and metrics: what waits for a person. What was settled stays parked for ever.
            models.Index(
                fields=["-id"], condition=Q(state="parked", settled_at__isnull=True), name="update_parked_unsettled"
            ),
            # Admin: what one chat sent.
            models.Index(fields=["chat_id", "-id"], name="update_of_chat"),
        ]

    def __str__(self) -> str:
        return str(self.update_id)


class OutboundCall(models.Model):
    """One Bot API request: a part of a delivery, or an answer to a button, an edit of a keyboard, a line to a group.

    `sending` is committed before the request leaves. A part has one row whatever becomes of it, so that no worker
    can send it beside another.
    """

    bot_id = models.BigIntegerField(_("бот"))
    chat_id = models.BigIntegerField(_("чат"))
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="calls",
        verbose_name=_("доставка"),
        db_index=False,  # call_once_per_part begins with it
    )
    part = models.PositiveSmallIntegerField(_("часть"), default=0)
    method = models.CharField(_("метод"), max_length=40)
    payload = models.JSONField(_("параметры"), default=dict)
    lane = models.PositiveSmallIntegerField(_("очередь"), choices=Lane.choices)
    state = models.CharField(_("состояние"), max_length=9, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    worker = models.CharField(_("процесс"), max_length=80, blank=True)
    lease_until = models.DateTimeField(_("занято до"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("попытки"), default=0)
    due_at = models.DateTimeField(_("не раньше"), default=timezone.now)
    expires_at = models.DateTimeField(_("не позже"), null=True, blank=True)
    message_id = models.BigIntegerField(_("номер сообщения в Telegram"), null=True, blank=True)
    error = models.CharField(_("ошибка"), max_length=MAX_REASON, blank=True)
    created_at = models.DateTimeField(_("создан"), default=timezone.now)
    settled_at = models.DateTimeField(_("решено"), null=True, blank=True)

    class Meta:
        verbose_name = _("вызов Bot API")
        verbose_name_plural = _("вызовы Bot API")
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "part"], condition=Q(delivery__isnull=False), name="call_once_per_part"
            ),
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.SENDING) | Q(lease_until__isnull=False), name="call_sending_has_lease"
            ),
            # A tick only with Telegram's word for it.
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.SENT) | Q(delivery__isnull=True) | Q(message_id__isnull=False),
                name="call_sent_has_message_id",
            ),
        ]
        indexes = [
            # Outbox: calls that belong to no delivery, oldest due first.
            models.Index(
                fields=["bot_id", "due_at"],
                condition=Q(state=DeliveryState.QUEUED, delivery__isnull=True),
                name="call_unordered_due",
            ),
            # Outbox: leases of workers that died.
            models.Index(
                fields=["bot_id", "lease_until"], condition=Q(state=DeliveryState.SENDING), name="call_in_flight"
            ),
            # Admin: what one chat was sent.
            models.Index(fields=["chat_id", "-id"], name="call_of_chat"),
        ]

    def __str__(self) -> str:
        return f"{self.method}, {self.chat_id}"


class TelegramMessage(models.Model):
    """Which of our messages a message in Telegram is: one of ours may be several there."""

    bot_id = models.BigIntegerField(_("бот"))
    chat_id = models.BigIntegerField(_("чат"))
    telegram_id = models.BigIntegerField(_("номер в чате"))
    # Indexed for the outbox, which quotes a message by it.
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="+", verbose_name=_("сообщение"))
    part = models.PositiveSmallIntegerField(_("часть"), default=0)

    class Meta:
        verbose_name = _("номер сообщения в Telegram")
        verbose_name_plural = _("номера сообщений в Telegram")
        constraints = [
            # Inbox: a repeated message, an edit or a quote finds its row.
            models.UniqueConstraint(fields=["bot_id", "chat_id", "telegram_id"], name="telegram_message_once"),
        ]

    def __str__(self) -> str:
        return f"{self.chat_id}/{self.telegram_id}"


class TelegramFile(models.Model):
    """How one bot asks Telegram for a file: file ids are valid for the bot that received them only."""

    bot_id = models.BigIntegerField(_("бот"))
    attachment = models.ForeignKey(
        Attachment,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("файл"),
        db_index=False,  # telegram_file_once begins with it
    )
    file_id = models.CharField(_("номер файла"), max_length=255)

    class Meta:
        verbose_name = _("файл в Telegram")
        verbose_name_plural = _("файлы в Telegram")
        constraints = [
            # Jobs: the id to fetch an attachment by.
            models.UniqueConstraint(fields=["attachment", "bot_id"], name="telegram_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.attachment_id}"
