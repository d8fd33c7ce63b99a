"""What the bridge remembers: where each chat stands, what Telegram told us, what we asked of Telegram."""

import json
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models import (
    Alteration,
    Attachment,
    Customer,
    Delivery,
    DeliveryState,
    Lane,
    Language,
    Message,
    Reason,
    Status,
    Ticket,
    User,
)

MAX_REASON = 500
#: Updates are kept on Telegram's server for no longer (Bot API, "Getting updates").
KEPT_BY_TELEGRAM = timedelta(hours=24)
#: How many rows of one chat or customer are looked through for the few that matter.
LOOKED_THROUGH = 200


class BotStatus(models.Model):
    """One bot: the pace all its workers share, and how its connection to Telegram fares.

    `last_polled_at` is when Telegram last answered whoever minds the door: a poll, or a look at the webhook.
    """

    class Door(models.TextChoices):
        POLLING = "polling", _("бот спрашивает Telegram")
        WEBHOOK = "webhook", _("Telegram приносит на сайт")

    bot_id = models.BigIntegerField(_("бот"), primary_key=True)
    username = models.CharField(_("имя пользователя"), max_length=64, blank=True)
    next_send_at = models.DateTimeField(_("следующая отправка не раньше"), default=timezone.now)
    door = models.CharField(
        _("как приходят сообщения"), max_length=7, choices=Door.choices, default=Door.POLLING, db_default=Door.POLLING
    )
    last_polled_at = models.DateTimeField(_("последний успешный опрос"), null=True, blank=True)
    last_error = models.CharField(_("последняя ошибка"), max_length=MAX_REASON, blank=True)
    last_error_at = models.DateTimeField(_("ошибка была"), null=True, blank=True)
    stopped_reason = models.CharField(_("почему остановлен"), max_length=MAX_REASON, blank=True)
    # What Telegram said of the webhook at the last look: how many updates it holds, since when each look found some.
    webhook_pending = models.PositiveIntegerField(_("ждёт в Telegram"), null=True, blank=True)
    webhook_pending_since = models.DateTimeField(_("ждёт в Telegram с"), null=True, blank=True)
    webhook_error = models.CharField(_("ошибка вебхука"), max_length=MAX_REASON, blank=True, default="", db_default="")
    webhook_error_at = models.DateTimeField(_("ошибка вебхука была"), null=True, blank=True)
    tickets_as_topics = models.BooleanField(
        _("каждое обращение в своей теме"),
        default=False,
        db_default=False,
        help_text=_(
            "В личном чате клиента у каждого обращения будет своя тема. Для этого нужен режим тем (Threaded Mode) "
            "в настройках бота у @BotFather; пока его нет, всё идёт одной лентой."
        ),
    )
    # What getMe last said (Bot API, "User").
    has_topics_enabled = models.BooleanField(
        _("режим тем включён у @BotFather"), default=False, db_default=False, editable=False
    )
    # The last event whose ticket's topic has the name that suits it.
    forum_topics_named_to = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("состояние бота")
        verbose_name_plural = _("состояние бота")

    def __str__(self) -> str:
        return f"@{self.username}" if self.username else str(self.bot_id)

    @property
    def gives_forum_topics(self) -> bool:
        """Whether each ticket has a topic of its own: a supervisor wants it, and Telegram lets the bot."""
        return self.tickets_as_topics and self.has_topics_enabled


class Outage(models.Model):
    """A time in which customers could not reach us: from the last moment Telegram and the database had both answered
    until they did again.
    """

    bot_id = models.BigIntegerField(_("бот"))
    began_at = models.DateTimeField(_("началось"))
    ended_at = models.DateTimeField(_("кончилось"))
    # Tickets are marked, and customers asked, in the order of their ids: up to which that is done.
    marked_up_to = models.BigIntegerField(default=0, db_default=0, editable=False)
    asked_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("кто решил переспросить"),
    )
    asked_at = models.DateTimeField(_("решено переспросить"), null=True, blank=True)
    told_up_to = models.BigIntegerField(default=0, db_default=0, editable=False)
    told = models.PositiveIntegerField(_("переспрошено клиентов"), default=0, db_default=0)
    told_at = models.DateTimeField(_("все переспрошены"), null=True, blank=True)

    class Meta:
        verbose_name = _("перерыв в работе бота")
        verbose_name_plural = _("перерывы в работе бота")
        constraints = [
            # Noted again by a process that found it noted; inbox: the outage a message was written in.
            models.UniqueConstraint(fields=["bot_id", "began_at"], name="outage_once"),
            models.CheckConstraint(condition=Q(ended_at__gt=F("began_at")), name="outage_ends_later"),
        ]

    def __str__(self) -> str:
        began, ended = timezone.localtime(self.began_at), timezone.localtime(self.ended_at)
        return f"{began:%d.%m.%Y %H:%M} – {ended:%d.%m.%Y %H:%M}"

    @property
    def lost_until(self) -> datetime | None:
        """Up to when what customers wrote during it may be lost; None where Telegram has kept all of it."""
        until = self.ended_at - KEPT_BY_TELEGRAM
        return until if until > self.began_at else None


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
    current_since = models.DateTimeField(null=True, blank=True, editable=False)
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
    apologised_for = models.ForeignKey(
        Outage,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        db_index=False,  # nothing looks for chats by it
    )

    class Meta:
        verbose_name = _("чат")
        verbose_name_plural = _("чаты")
        constraints = [
            # Inbox and outbox find and lock a chat by these two.
            models.UniqueConstraint(fields=["bot_id", "chat_id"], name="chat_session_once"),
        ]

    def __str__(self) -> str:
        return str(self.chat_id)

    def make_current(self, ticket: Ticket) -> None:
        """What is written next, and quotes nothing, goes there. The caller saves."""
        self.current_ticket, self.current_since = ticket, timezone.now()

    def keep_current(self) -> None:
        """What was answered before now is not what is answered next. The caller saves."""
        self.current_ticket_id, self.current_since = self.next_ticket_id, timezone.now()

    @property
    def next_ticket_id(self) -> int | None:
        """Where the next message goes: to the ticket last written to, answered in, or chosen by its customer."""
        return self.answered_ticket_id or self.current_ticket_id

    @property
    def answered_ticket_id(self) -> int | None:
        """The ticket of the newest reply since `current_since` that a person, not Telegram, says has arrived.

        Nobody knows when one from a backup left, so it says nothing of what the customer read last.
        """
        if self.customer_id is None or self.current_since is None:
            return None
        arrived = Delivery.objects.marked_arrived(self.customer_id).exclude(reason=Reason.RESTORED)
        since = arrived.filter(lane=Lane.REPLY, settled_at__gt=self.current_since)
        since = since.exclude(message__ticket__status=Status.CLOSED)
        return since.order_by("-settled_at", "-pk").values_list("message__ticket_id", flat=True).first()


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

    def is_overtaken(self) -> bool:
        """Whether something that came later from its chat has been handled before it, which was parked meanwhile."""
        later = Update.objects.filter(bot_id=self.bot_id, chat_id=self.chat_id, pk__gt=self.pk).order_by("pk")
        # The next ones alone: of a flood all may still wait.
        return self.State.HANDLED in later.values_list("state", flat=True)[:LOOKED_THROUGH]

    def follows_message(self, telegram_id: int) -> bool:
        """Whether this message of its chat was handled before it, lately: of what the desk has not, a command."""
        earlier = Update.objects.filter(bot_id=self.bot_id, chat_id=self.chat_id, pk__lt=self.pk).order_by("-pk")
        # Asked one after the other: in one query PostgreSQL may go through the whole table.
        last = list(earlier.values_list("pk", flat=True)[:LOOKED_THROUGH])
        handled = Update.objects.filter(pk__in=last, state=self.State.HANDLED)
        naming = handled.filter(raw__contains=f'"message_id": {telegram_id}')
        # An answer to a message names it too.
        messages = (json.loads(raw).get("message") for raw in naming.values_list("raw", flat=True))
        return any(isinstance(message, dict) and message.get("message_id") == telegram_id for message in messages)


class OutboundCall(models.Model):
    """One Bot API request: a part of a delivery, a step of an alteration, or an answer to a button, an edit of a
    keyboard, a line to a group.

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
    alteration = models.ForeignKey(
        Alteration,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="calls",
        verbose_name=_("изменение у клиента"),
        db_index=False,  # call_of_alteration begins with it
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
            # Outbox: the row of an alteration's step, which a repeat of the request takes again.
            models.Index(
                fields=["alteration", "part"], condition=Q(alteration__isnull=False), name="call_of_alteration"
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
    # When the customer's reactions under it last changed: an earlier change that comes later is none.
    reacted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("номер сообщения в Telegram")
        verbose_name_plural = _("номера сообщений в Telegram")
        constraints = [
            # Inbox: a repeated message, an edit or a quote finds its row.
            models.UniqueConstraint(fields=["bot_id", "chat_id", "telegram_id"], name="telegram_message_once"),
        ]

    def __str__(self) -> str:
        return f"{self.chat_id}/{self.telegram_id}"


class ForumTopic(models.Model):
    """One ticket's own topic in its customer's private chat (Bot API, "ForumTopic"). A hint: the ticket is the truth.

    Not to be confused with `tickets.Topic`, what a question is about. Rows outlive the option: switched on again, the
    bot goes on in the topics there are.
    """

    class State(models.TextChoices):
        WANTED = "wanted", _("Будет создана")
        MAKING = "making", _("Создаётся")
        OPEN = "open", _("Есть")
        GIVEN_UP = "given_up", _("Нет, ответы идут в общий чат с номером")

    bot_id = models.BigIntegerField(_("бот"))
    chat_id = models.BigIntegerField(_("чат"))
    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("обращение"),
        db_index=False,  # forum_topic_of_ticket begins with it
    )
    message_thread_id = models.BigIntegerField(_("номер темы в чате"), null=True, blank=True)
    # The name the bot gave it last; the customer may have given it another since. Some of it is the customer's words.
    name = models.CharField(_("название"), max_length=128, blank=True)
    state = models.CharField(_("состояние"), max_length=8, choices=State.choices, default=State.WANTED)
    remade = models.BooleanField(_("создана заново"), default=False)
    creation = models.OneToOneField(
        OutboundCall, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("создание")
    )
    # The message before which the topic is being made.
    waiting = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False, editable=False
    )

    class Meta:
        verbose_name = _("тема в чате")
        verbose_name_plural = _("темы в чатах")
        constraints = [
            # Outbox: the topic a ticket's messages go to.
            models.UniqueConstraint(fields=["ticket", "bot_id"], name="forum_topic_of_ticket"),
            # Inbox: the ticket a message in a topic belongs to.
            models.UniqueConstraint(fields=["bot_id", "chat_id", "message_thread_id"], name="forum_topic_once"),
            models.CheckConstraint(
                condition=Q(state="open", message_thread_id__isnull=False)
                | (~Q(state="open") & Q(message_thread_id__isnull=True)),
                name="forum_topic_open_has_thread",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.ticket_id)


class AnswerPlace(models.Model):
    """Where one of the bot's sentences goes that answers where the customer was, not in the topic of its ticket."""

    message = models.OneToOneField(
        Message, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("сообщение")
    )
    # NULL: the main chat.
    message_thread_id = models.BigIntegerField(_("номер темы в чате"), null=True, blank=True)

    class Meta:
        verbose_name = _("место ответа")
        verbose_name_plural = _("места ответов")

    def __str__(self) -> str:
        return f"{self.message_id}: {self.message_thread_id}"


class TelegramFileQuerySet(models.QuerySet["TelegramFile"]):
    def with_bytes_of(self, attachment: Attachment, *, bot_id: int) -> "TelegramFileQuerySet":
        """By what ids this bot may send a file again that it has sent before.

        Sent so, a file keeps its kind and its name (Bot API, "Sending files"), so both must be the same.
        """
        if not attachment.digest:
            return self.none()
        return self.filter(
            bot_id=bot_id,
            attachment__digest=attachment.digest,
            attachment__kind=attachment.kind,
            attachment__file_name=attachment.file_name,
        )


class TelegramFile(models.Model):
    """How one bot asks Telegram for a file, or sends it again: file ids are valid for the bot that got them only."""

    bot_id = models.BigIntegerField(_("бот"))
    attachment = models.ForeignKey(
        Attachment,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("файл"),
        db_index=False,  # telegram_file_once begins with it
    )
    file_id = models.CharField(_("номер файла"), max_length=255)

    objects = TelegramFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("файл в Telegram")
        verbose_name_plural = _("файлы в Telegram")
        constraints = [
            # Jobs: the id to fetch an attachment by.
            models.UniqueConstraint(fields=["attachment", "bot_id"], name="telegram_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.attachment_id}"
