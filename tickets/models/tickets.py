from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import connection, models
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.catalog import Tag, Topic
from tickets.models.customers import Customer
from tickets.models.messages import PREVIEW_LENGTH, ContentType, Message, Sender
from tickets.models.people import Team, User

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from tickets.access import Program

REOPEN_WITHIN = timedelta(days=7)
SUBJECT_LENGTH = 200
COUNT_CAP = 1000
ROW_FIELDS = (
    "version",
    "status",
    "priority",
    "trouble",
    "waiting_since",
    "snoozed_until",
    "last_sender",
    "last_content_type",
    "last_text",
    "last_message_at",
    "assignee",
    "team__time_zone",
    "team__is_strict",
    "customer__name",
    "customer__username",
    "customer__muted_at",
    "topic__name",
    "topic__name_kk",
    "topic__name_en",
)


class Status(models.TextChoices):
    NEW = "new", _("Новое")
    OPEN = "open", _("В работе")
    WAITING = "waiting", _("Ждём клиента")
    RESOLVED = "resolved", _("Решено")
    CLOSED = "closed", _("Закрыто")

    @property
    def emoji(self) -> str:
        return {"new": "🆕", "open": "🔧", "waiting": "⏳", "resolved": "✅", "closed": "🔒"}[self.value]

    @property
    def label_with_emoji(self) -> str:
        return f"{self.emoji} {self.label}"


ACTIVE = (Status.NEW, Status.OPEN, Status.WAITING)
PAST = (Status.RESOLVED, Status.CLOSED)


class Priority(models.IntegerChoices):
    LOW = 1, _("Низкий")
    NORMAL = 2, _("Обычный")
    HIGH = 3, _("Высокий")
    URGENT = 4, _("Срочно")


class Trouble(models.IntegerChoices):
    """The worst thing that befell this ticket's deliveries and still waits for a person."""

    NONE = 0, _("Всё дошло")
    HELD = 1, _("Ждёт решения")
    UNKNOWN = 2, _("Могло не дойти")
    FAILED = 3, _("Не доставлено")
    UNALTERED = 4, _("Не изменено у клиента")


class View(models.TextChoices):
    """The queue's saved filters."""

    MINE = "mine", _("Мои")
    FREE = "free", _("Свободные")
    ALL = "all", _("Все")
    LATER = "later", _("Позже")


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, user: "User | Program") -> Self:
        """Tickets this caller may see, by the matrix in `tickets.access`. Every page, stream and file starts here."""
        from tickets.access import visible_to  # the matrix reads these models

        return self.filter(visible_to(user))

    def active_visible_to(self, user: User) -> Self:
        """The active ones among `visible_to`, for the queue."""
        from tickets.access import active_visible_to

        return self.active().filter(active_visible_to(user))

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def in_view(self, view: View, user: User) -> Self:
        """The active tickets one of the queue's four views holds for `user`, among those already visible."""
        awake = self.active().filter(snoozed_until__isnull=True)
        match view:
            case View.MINE:
                return awake.filter(assignee=user)
            case View.FREE:
                return awake.filter(assignee__isnull=True)
            case View.ALL:
                return awake
            case View.LATER:
                return (
                    self.active()
                    .filter(snoozed_until__isnull=False)
                    .filter(Q(assignee=user) | Q(assignee__isnull=True))
                )

    def waiting_for_us(self) -> Self:
        """Tickets whose customer waits, longest waiting first."""
        return self.filter(waiting_since__isnull=False).order_by("waiting_since", "pk")

    def resting(self) -> Self:
        """Tickets where nobody waits for us, the latest first."""
        return self.filter(waiting_since__isnull=True).order_by("-last_message_at", "-pk")

    def for_rows(self, user: User | int) -> Self:
        """What a queue row shows `user`, or whom this id names, and no more.

        Half of what a list costs is the columns Django carries into objects.
        """
        draft = Draft.objects.filter(ticket=OuterRef("pk"), user=user).values("text")[:1]
        rows = self.select_related("customer", "topic", "team").only(*ROW_FIELDS)
        return rows.annotate(draft_text=Subquery(draft)).with_news(user)

    def with_news(self, user: User | int) -> Self:
        """How much of each ticket `user` has not read, and who wrote last.

        A muted customer calls nobody: nothing of theirs counts as unread.
        """
        seen = TicketReader.objects.filter(ticket=OuterRef("pk"), user=user).values("seen_message_id")[:1]
        unread = (
            Message.objects.filter(ticket=OuterRef("pk"), sender=Sender.CLIENT, pk__gt=Coalesce(OuterRef("read_to"), 0))
            .order_by()
            .values("ticket")
            .annotate(n=Count("pk"))
            .values("n")
        )
        called_for = Case(When(customer__muted_at__isnull=True, then=Coalesce(Subquery(unread), 0)), default=0)
        news = self.alias(read_to=Subquery(seen)).annotate(unread=called_for)
        return news.annotate(last_author_id=F("last_message__author_id"))

    def for_page(self) -> Self:
        """The ticket page's head and panel."""
        return self.select_related("customer", "topic", "assignee", "team", "last_message").prefetch_related("tags")

    def count_up_to_cap(self) -> int:
        """The number of tickets, at most `COUNT_CAP`: an exact count of a big table is the cost of a page."""
        return self.order_by()[:COUNT_CAP].count()


class Ticket(models.Model):
    """One question of one customer, from the first message to its solution."""

    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        related_name="tickets",
        verbose_name=_("клиент"),
        db_index=False,  # ticket_of_customer below begins with it
    )
    subject = models.CharField(_("о чём"), max_length=SUBJECT_LENGTH, blank=True)
    status = models.CharField(_("статус"), max_length=8, choices=Status.choices, default=Status.NEW)
    priority = models.PositiveSmallIntegerField(_("приоритет"), choices=Priority.choices, default=Priority.NORMAL)
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        related_name="tickets",
        verbose_name=_("команда"),
        db_index=False,  # ticket_queue_of_team below begins with it
    )
    assignee = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="tickets",
        verbose_name=_("ответственный"),
        db_index=False,  # ticket_queue_of_assignee below begins with it
    )
    topic = models.ForeignKey(
        Topic, on_delete=models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("тема")
    )
    tags = models.ManyToManyField(Tag, related_name="tickets", blank=True, verbose_name=_("метки"))
    opened_by = models.OneToOneField(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("первое сообщение")
    )
    follows_up = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("продолжает")
    )
    due_at = models.DateTimeField(_("ответить до"), null=True, blank=True)
    snoozed_until = models.DateTimeField(_("отложено до"), null=True, blank=True)
    waiting_since = models.DateTimeField(_("клиент ждёт с"), null=True, blank=True)
    first_answered_at = models.DateTimeField(_("первый ответ"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("решено"), null=True, blank=True)
    closed_at = models.DateTimeField(_("закрыто"), null=True, blank=True)
    last_message = models.ForeignKey(
        Message,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("последнее сообщение"),
    )
    last_sender = models.CharField(max_length=7, choices=Sender.choices, blank=True, editable=False)
    last_content_type = models.CharField(max_length=40, blank=True, editable=False)
    last_text = models.CharField(max_length=PREVIEW_LENGTH, blank=True, editable=False)
    last_message_at = models.DateTimeField(_("последнее сообщение в"), default=timezone.now)
    trouble = models.PositiveSmallIntegerField(_("доставка"), choices=Trouble.choices, default=Trouble.NONE)
    version = models.PositiveIntegerField(_("версия"), default=1)
    imported_id = models.BigIntegerField(_("номер в прежней системе"), null=True, blank=True, unique=True)
    created_at = models.DateTimeField(_("создано"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("изменено"), default=timezone.now)

    objects = TicketQuerySet.as_manager()

    if TYPE_CHECKING:
        messages: RelatedManager[Message]
        events: RelatedManager["Event"]
        readers: RelatedManager["TicketReader"]
        # Annotated for rows.
        unread: int
        draft_text: str | None
        last_author_id: int | None

    class Meta:
        verbose_name = _("обращение")
        verbose_name_plural = _("обращения")
        constraints = [
            models.CheckConstraint(
                condition=~Q(status=Status.RESOLVED) | Q(resolved_at__isnull=False), name="ticket_resolved_has_time"
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.CLOSED) | Q(closed_at__isnull=False), name="ticket_closed_has_time"
            ),
            models.CheckConstraint(
                condition=Q(snoozed_until__isnull=True) | Q(status__in=ACTIVE), name="ticket_snoozed_is_active"
            ),
        ]
        indexes = [
            # Ticket page: a customer's other tickets; API: tickets of a Telegram user.
            models.Index(fields=["customer", "-id"], name="ticket_of_customer"),
            # Admin and API: filter by status, newest first.
            models.Index(fields=["status", "-id"], name="ticket_by_status"),
            # Admin: tickets by day; reports.
            models.Index(fields=["created_at"], name="ticket_by_creation"),
            # Queue «Мои».
            models.Index(
                fields=["assignee", "waiting_since", "id"],
                condition=Q(status__in=ACTIVE),
                name="ticket_queue_of_assignee",
            ),
            # Queues «Все» and «Свободные» of a manager, whose tickets are those of a few teams.
            models.Index(
                fields=["team", "waiting_since", "id"],
                condition=Q(status__in=ACTIVE),
                name="ticket_queue_of_team",
            ),
            # Queue: supervisors' «Все», longest waiting first, over every team.
            models.Index(
                fields=["waiting_since", "id"],
                condition=Q(status__in=ACTIVE, waiting_since__isnull=False),
                name="ticket_queue_waiting",
            ),
            # Queue: tickets where nobody waits for us, the latest first.
            models.Index(
                fields=["-last_message_at", "-id"],
                condition=Q(status__in=ACTIVE, waiting_since__isnull=True),
                name="ticket_queue_resting",
            ),
            # Jobs: snoozed tickets to wake.
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_until__isnull=False), name="ticket_to_wake"),
            # Jobs: resolved tickets to close after seven days.
            models.Index(fields=["resolved_at"], condition=Q(status=Status.RESOLVED), name="ticket_to_close"),
        ]

    def __str__(self) -> str:
        return f"№{self.pk}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def status_label(self) -> str:
        return Status(self.status).label_with_emoji

    @property
    def last_preview(self) -> str:
        """The last message in one line; what carries no words is named by its kind."""
        return self.last_text or str(dict(ContentType.choices).get(self.last_content_type, self.last_content_type))

    def can_reopen(self, now: datetime) -> bool:
        """Whether a solved ticket comes back to work; later than seven days a new one is opened instead."""
        return (
            self.status == Status.RESOLVED and self.resolved_at is not None and now - self.resolved_at < REOPEN_WITHIN
        )


class TicketReader(models.Model):
    """How far one person has read a ticket, and whether that person follows it."""

    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        related_name="readers",
        verbose_name=_("обращение"),
        db_index=False,  # the unique constraint begins with it
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("сотрудник"))
    seen_message = models.ForeignKey(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("прочитано до")
    )
    follows = models.BooleanField(_("следит"), default=False)

    class Meta:
        verbose_name = _("читатель")
        verbose_name_plural = _("читатели")
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="reader_once_per_ticket")]
        indexes = [
            # Every page: tickets a person follows or was mentioned in (`access.visible_to`).
            models.Index(fields=["user", "ticket"], condition=Q(follows=True), name="reader_follows"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id}, {self.user_id}"


class Draft(models.Model):
    """What a person has begun to write on a ticket. It outlives reloads, hand-overs and solving.

    Cleared, it stays without a text and says when.
    """

    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        related_name="drafts",
        verbose_name=_("обращение"),
        db_index=False,  # the unique constraint begins with it
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("сотрудник"))
    is_note = models.BooleanField(_("заметка"), default=False)
    text = models.TextField(_("текст"))
    quote = models.ForeignKey(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ответ на")
    )
    updated_at = models.DateTimeField(_("изменён"), default=timezone.now)

    class Meta:
        verbose_name = _("черновик")
        verbose_name_plural = _("черновики")
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="draft_once_per_ticket")]

    def __str__(self) -> str:
        return f"{self.ticket_id}, {self.user_id}"


class AppendOnlyError(RuntimeError):
    """Somebody tried to change history."""


#: The advisory locks of those who write events bear this in their upper 16 bits, and an id in the rest.
EVENT_WRITERS = 0x4844


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, caller: "User | Program") -> Self:
        """What this person or program may know of the tickets they see."""
        from tickets.access import visible_events

        return self.filter(visible_events(caller), ticket__in=Ticket.objects.visible_to(caller))

    def last_given_id(self) -> int:
        """The greatest id any event has been given so far, seen by others or not yet."""
        if connection.vendor != "postgresql":
            return int(self.order_by("-pk").values_list("pk", flat=True).first() or 0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value - (NOT is_called)::int FROM tickets_event_id_seq")
            return int(cursor.fetchone()[0])

    def settled_up_to(self, given_id: int) -> int:
        """The id up to which nothing new will appear any more; `given_id` is the `last_given_id` asked just before.

        PostgreSQL shows rows when their transaction commits, not in the order of their ids. A writer's lock, taken by
        a trigger before its first id and let go after its commit, bears the last id given out before. So whoever got
        an id up to `given_id` either shows here, or has ended, and rows read from now on hold what it wrote. SQLite
        has one writer at a time.
        """
        if connection.vendor != "postgresql":
            return given_id
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT min((classid::bigint & 65535) << 32 | objid::bigint) FROM pg_locks
                WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = %s
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND pid <> pg_backend_pid()
                """,
                [EVENT_WRITERS],
            )
            before_writers = cursor.fetchone()[0]
        return given_id if before_writers is None else min(given_id, int(before_writers))


class Event(models.Model):
    """A line of a ticket's history: ids and enums only, never the customer's words. Written once, changed never.

    The database refuses an UPDATE too (a trigger made by the first migration).
    """

    class Kind(models.TextChoices):
        OPENED = "opened", _("Обращение создано")
        IMPORTED = "imported", _("Перенесено из прежней системы")
        RECEIVED = "received", _("Сообщение клиента")
        REVISED = "revised", _("Клиент изменил сообщение")
        REPLIED = "replied", _("Ответ")
        NOTED = "noted", _("Заметка")
        SAID = "said", _("Сообщение бота")
        EDITED = "edited", _("Ответ изменён")
        DELETED = "deleted", _("Ответ удаляется у клиента")
        ALTERED = "altered", _("Изменение у клиента")
        LEFT = "left", _("Оставлено, как видит клиент")
        REACTED = "reacted", _("Реакция менеджера")
        REACTION = "reaction", _("Реакция клиента")
        PLACE = "place", _("Геопозиция обновлена")
        WITHDRAWN = "withdrawn", _("Ответ отозван")
        RELEASED = "released", _("Отправка продолжена")
        ARRIVED = "arrived", _("Отмечено дошедшим")
        RESENT = "resent", _("Отправлено ещё раз")
        DELIVERY = "delivery", _("Состояние доставки")
        TAKEN = "taken", _("Взято в работу")
        ASSIGNED = "assigned", _("Передано")
        UNASSIGNED = "unassigned", _("Возвращено в очередь")
        MOVED = "moved", _("Передано другой команде")
        RESOLVED = "resolved", _("Решено")
        UNDONE = "undone", _("Решение отменено")
        REOPENED = "reopened", _("Снова в работе")
        CLOSED = "closed", _("Закрыто")
        SNOOZED = "snoozed", _("Отложено")
        WOKEN = "woken", _("Снова в очереди")
        TOPIC = "topic", _("Тема")
        PRIORITY = "priority", _("Приоритет")
        TAGGED = "tagged", _("Метка")
        UNTAGGED = "untagged", _("Метка снята")
        FILE = "file", _("Файл")
        PHONE_SHOWN = "phone_shown", _("Телефон показан")
        CARD_SHOWN = "card_shown", _("Номер карты показан")
        STOPPED = "stopped", _("Клиент остановил бота")
        RETURNED = "returned", _("Клиент вернулся")
        MUTED = "muted", _("Клиент заглушён")
        UNMUTED = "unmuted", _("Клиент больше не заглушён")
        GAP = "gap", _("Бот не работал, часть сообщений могла пропасть")

    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        related_name="events",
        verbose_name=_("обращение"),
        db_index=False,  # event_in_ticket below begins with it
    )
    kind = models.CharField(_("что"), max_length=12, choices=Kind.choices)
    actor = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("кто")
    )
    service_account = models.ForeignKey(
        "tickets.ServiceAccount",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("через программу"),
        db_index=False,  # nothing lists events by it
    )
    after_message = models.ForeignKey(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("после сообщения")
    )
    data = models.JSONField(_("подробности"), default=dict, blank=True)
    created_at = models.DateTimeField(_("когда"), default=timezone.now, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("событие")
        verbose_name_plural = _("история")
        constraints = [
            models.CheckConstraint(
                condition=Q(actor__isnull=True) | Q(service_account__isnull=True), name="event_has_one_actor"
            ),
        ]
        indexes = [
            # Ticket page: event lines between messages; admin: history of a ticket.
            models.Index(fields=["ticket", "id"], name="event_in_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id}: {self.get_kind_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("An event is written once.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("An event is never deleted.")


class Change(models.Model):
    """A knock on the door of open pages: what to fetch again, never what it says. Pruned after an hour.

    `audience` and `lost` hold the tokens of `access.audience`: who may see the ticket now, and who could before the
    act but cannot any more (their pages say the ticket is gone).
    """

    class Kind(models.TextChoices):
        MESSAGE = "message", _("сообщение")
        MESSAGE_STATE = "message-state", _("состояние сообщения")
        HEAD = "head", _("шапка и панель")
        PEER = "peer", _("коллега пишет")
        TROUBLE = "trouble", _("ответ ждёт решения")
        READ = "read", _("прочитано")
        REVOKED = "revoked", _("доступ закрыт")

    ticket = models.ForeignKey(
        Ticket,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="changes",
        verbose_name=_("обращение"),
        db_index=False,  # read by id only, pruned by time
    )
    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    version = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    audience = models.JSONField(default=list)
    lost = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("изменение")
        verbose_name_plural = _("изменения")
        indexes = [
            # Jobs: changes older than an hour, to prune.
            models.Index(fields=["created_at"], name="change_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ticket_id}"
