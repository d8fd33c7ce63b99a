import secrets
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.core.files.storage import FileSystemStorage
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.customers import Customer
from tickets.models.people import User

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from tickets.models.alterations import Alteration
    from tickets.models.delivery import Delivery

PREVIEW_LENGTH = 140
#: A name or a title in Telegram is shorter.
MAX_ORIGIN = 200
#: One message takes up to three reactions of a person (Telegram Premium), an emoji of several code points each.
MAX_REACTIONS = 64


class Sender(models.TextChoices):
    CLIENT = "client", _("Клиент")
    MANAGER = "manager", _("Менеджер")
    NOTE = "note", _("Заметка")
    SYSTEM = "system", _("Бот")


class Notice(models.TextChoices):
    """Which of the bot's sentences a system message is; the bridge hangs the right buttons under it."""

    START = "start", _("Приветствие")
    TOPIC_CHOSEN = "topic_chosen", _("Тема выбрана")
    RECEIPT = "receipt", _("Обращение принято")
    NEW_OR_SAME = "new_or_same", _("Новый вопрос или прежний")
    LIST = "list", _("Список обращений")
    LANGUAGE = "language", _("Выбор языка")
    HELP = "help", _("Справка")
    SOLVED = "solved", _("Обращение решено")
    REOPENED = "reopened", _("Обращение снова в работе")
    APOLOGY = "apology", _("Извинение за перерыв в работе")
    REPEAT = "repeat", _("Просьба повторить")
    OTHER = "other", _("Другое")


class ContentType(models.TextChoices):
    """What a message carries, in the Bot API's words. A kind not listed here is stored under its own name."""

    TEXT = "text", _("Текст")
    PHOTO = "photo", _("Фото")
    VIDEO = "video", _("Видео")
    DOCUMENT = "document", _("Файл")
    VOICE = "voice", _("Голосовое сообщение")
    AUDIO = "audio", _("Аудио")
    VIDEO_NOTE = "video_note", _("Видеосообщение")
    ANIMATION = "animation", _("Анимация")
    STICKER = "sticker", _("Стикер")
    CONTACT = "contact", _("Контакт")
    LOCATION = "location", _("Геопозиция")
    VENUE = "venue", _("Место на карте")
    POLL = "poll", _("Опрос")
    DICE = "dice", _("Кубик")
    STORY = "story", _("История")
    LIVE_PHOTO = "live_photo", _("Живое фото")
    RICH_MESSAGE = "rich_message", _("Оформленное сообщение")
    CHECKLIST = "checklist", _("Список дел")
    CHECKLIST_TASKS_ADDED = "checklist_tasks_added", _("Список дел дополнен")
    CHECKLIST_TASKS_DONE = "checklist_tasks_done", _("В списке дел отметили сделанное")
    POLL_OPTION_ADDED = "poll_option_added", _("Опрос дополнен")
    GAME = "game", _("Игра")
    INVOICE = "invoice", _("Счёт на оплату")
    PAID_MEDIA = "paid_media", _("Платные фото и видео")
    SUCCESSFUL_PAYMENT = "successful_payment", _("Оплата прошла")
    GIVEAWAY = "giveaway", _("Розыгрыш")
    GIVEAWAY_WINNERS = "giveaway_winners", _("Итоги розыгрыша")
    GIFT = "gift", _("Подарок")
    UNIQUE_GIFT = "unique_gift", _("Уникальный подарок")
    PASSPORT_DATA = "passport_data", _("Данные Telegram Passport")
    WEB_APP_DATA = "web_app_data", _("Данные из веб-приложения")
    USERS_SHARED = "users_shared", _("Выбраны люди")
    CHAT_SHARED = "chat_shared", _("Выбран чат")
    FORUM_TOPIC_CREATED = "forum_topic_created", _("Создана тема в чате")
    FORUM_TOPIC_EDITED = "forum_topic_edited", _("Изменена тема в чате")
    FORUM_TOPIC_CLOSED = "forum_topic_closed", _("Закрыта тема в чате")
    FORUM_TOPIC_REOPENED = "forum_topic_reopened", _("Снова открыта тема в чате")
    PINNED_MESSAGE = "pinned_message", _("Закреплено сообщение")
    CHAT_BACKGROUND_SET = "chat_background_set", _("Изменён фон чата")
    MESSAGE_AUTO_DELETE_TIMER_CHANGED = (
        "message_auto_delete_timer_changed",
        _("Изменено автоматическое удаление сообщений"),
    )
    WRITE_ACCESS_ALLOWED = "write_access_allowed", _("Боту разрешено писать")
    CONNECTED_WEBSITE = "connected_website", _("Подключён сайт")
    BOOST_ADDED = "boost_added", _("Чат усилен")
    PROXIMITY_ALERT_TRIGGERED = "proximity_alert_triggered", _("Люди рядом друг с другом")


class MessageQuerySet(models.QuerySet["Message"]):
    def for_conversation(self) -> "MessageQuerySet":
        """Messages with everything a bubble shows, oldest first; order in a conversation is the id's."""
        return (
            self.select_related("author", "quote", "quote__author", "delivery", "delivery__decided_by")
            .prefetch_related("attachments", "revisions")
            .order_by("pk")
        )

    def unseen_since(self, seen_id: int, user_id: int) -> "MessageQuerySet":
        """What others wrote after message `seen_id`: the customer and colleagues, not the bot, not `user_id`."""
        return self.filter(pk__gt=seen_id).exclude(sender=Sender.SYSTEM).exclude(author_id=user_id).order_by("pk")


class Message(models.Model):
    """One thing said on a ticket, or one sentence of the bot to a customer who has no ticket yet."""

    ticket = models.ForeignKey(
        "tickets.Ticket",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("обращение"),
        db_index=False,  # message_in_ticket below begins with it
    )
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        related_name="messages",
        verbose_name=_("клиент"),
        db_index=False,  # message_of_customer below begins with it
    )
    sender = models.CharField(_("отправитель"), max_length=7, choices=Sender.choices)
    author = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("автор")
    )
    service_account = models.ForeignKey(
        "tickets.ServiceAccount",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("через программу"),
        db_index=False,  # nothing lists messages by it
    )
    notice = models.CharField(_("какая фраза бота"), max_length=16, choices=Notice.choices, blank=True)
    content_type = models.CharField(_("вид"), max_length=40, default=ContentType.TEXT)
    text = models.TextField(_("текст"), blank=True)
    entities = models.JSONField(_("разметка"), default=list, blank=True)
    media_group_id = models.CharField(_("альбом"), max_length=64, blank=True)
    quote = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ответ на")
    )
    quote_text = models.CharField(_("цитата"), max_length=1024, blank=True)
    forwarded_from = models.CharField(_("переслано от"), max_length=MAX_ORIGIN, blank=True, db_default="")
    resend_of = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="resends",
        verbose_name=_("повтор сообщения"),
    )
    client_id = models.UUIDField(_("номер от браузера"), null=True, blank=True)
    digest = models.CharField(_("отпечаток содержимого"), max_length=64, blank=True)
    sent_at = models.DateTimeField(_("написано"), default=timezone.now)
    edited_at = models.DateTimeField(_("изменено"), null=True, blank=True)
    # By its customer, by Telegram's clock, whether anything visible changed or not: what was edited before comes late.
    last_edit_at = models.DateTimeField(null=True, blank=True, editable=False)
    edited_after_answer = models.BooleanField(_("изменено после ответа"), default=False, db_default=False)
    deleted_at = models.DateTimeField(_("удалено у клиента"), null=True, blank=True)
    alteration = models.ForeignKey(
        "tickets.Alteration",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("последнее изменение у клиента"),
        db_index=False,  # read from the message's side alone
    )
    live_until = models.DateTimeField(_("геопозиция обновляется до"), null=True, blank=True)
    placed_at = models.DateTimeField(_("геопозиция обновлена"), null=True, blank=True)
    reactions = models.CharField(_("реакции клиента"), max_length=MAX_REACTIONS, blank=True, db_default="", default="")
    created_at = models.DateTimeField(_("принято"), default=timezone.now, editable=False)

    objects = MessageQuerySet.as_manager()

    if TYPE_CHECKING:
        attachments: RelatedManager["Attachment"]
        revisions: RelatedManager["MessageRevision"]
        alterations: RelatedManager["Alteration"]
        delivery: "Delivery"
        # Fetched for a conversation.
        parts: list["Attachment"]

    class Meta:
        verbose_name = _("сообщение")
        verbose_name_plural = _("сообщения")
        constraints = [
            # A browser that repeats a submit finds its first message instead of making a second.
            models.UniqueConstraint(
                fields=["author", "client_id"],
                condition=models.Q(client_id__isnull=False),
                name="message_once_per_submit",
            ),
            models.CheckConstraint(
                condition=models.Q(sender=Sender.SYSTEM) | models.Q(ticket__isnull=False),
                name="message_of_a_ticket",
            ),
            models.CheckConstraint(
                condition=models.Q(sender__in=[Sender.MANAGER, Sender.NOTE], author__isnull=False)
                | models.Q(sender__in=[Sender.CLIENT, Sender.SYSTEM]),
                name="message_has_author",
            ),
            # A program hands over what customers write; nobody of ours wrote that.
            models.CheckConstraint(
                condition=models.Q(service_account__isnull=True) | models.Q(sender=Sender.CLIENT, author__isnull=True),
                name="message_by_program_is_clients",
            ),
        ]
        indexes = [
            # Ticket page: the conversation and its older pages, by id; unread counts of the queue.
            models.Index(fields=["ticket", "id"], name="message_in_ticket"),
            # API: messages of a ticket by time, as the predecessor listed them.
            models.Index(fields=["ticket", "created_at"], name="message_in_ticket_by_time"),
            # Customer's export and erasure; the outbox's order within a chat.
            models.Index(fields=["customer", "id"], name="message_of_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.get_sender_display()}, {self.pk}"

    @property
    def content_label(self) -> str:
        """What kind of message this is in words, for a bubble, a preview or a quote."""
        if self.live_until is not None:
            return str(_("Живая геопозиция"))
        return str(dict(ContentType.choices).get(self.content_type, self.content_type))

    @property
    def preview(self) -> str:
        """One line of the message for a queue row or a quote."""
        return self.text[:PREVIEW_LENGTH] if self.text else self.content_label

    @property
    def is_from_us(self) -> bool:
        return self.sender in (Sender.MANAGER, Sender.SYSTEM)

    @property
    def pending(self) -> "Alteration | None":
        """The change of this message that is on its way to the customer."""
        return self.alteration if self.alteration is not None and self.alteration.is_pending else None


class MessageRevision(models.Model):
    """What a message said before an edit. Telegram reports edits but never deletions."""

    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="revisions", verbose_name=_("сообщение")
    )
    text = models.TextField(_("текст"), blank=True)
    entities = models.JSONField(_("разметка"), default=list, blank=True)
    replaced_at = models.DateTimeField(_("заменено"))

    class Meta:
        verbose_name = _("прежний текст")
        verbose_name_plural = _("прежние тексты")

    def __str__(self) -> str:
        return f"{self.message_id}, {self.replaced_at:%Y-%m-%d %H:%M}"


class HiddenCard(models.Model):
    """A payment card number a customer wrote. The message's own words hold it masked; who asks for it is recorded."""

    message = models.ForeignKey(
        Message,
        on_delete=models.PROTECT,
        related_name="hidden_cards",
        verbose_name=_("сообщение"),
        db_index=False,  # hidden_card_once below begins with it
    )
    number = models.CharField(_("номер карты"), max_length=19)

    class Meta:
        verbose_name = _("скрытый номер карты")
        verbose_name_plural = _("скрытые номера карт")
        constraints = [
            # Ticket page: whether a bubble has something to show; the numbers themselves when somebody asks.
            models.UniqueConstraint(fields=["message", "number"], name="hidden_card_once"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id}, {self.number[-4:]}"


def attachment_path(_attachment: "Attachment | None", _file_name: str) -> str:
    """A random place on disk: names from outside never reach the file system."""
    token = secrets.token_hex(16)
    return str(PurePosixPath("attachments") / token[:2] / token[2:4] / token)


def thumbnail_path(_attachment: "Attachment | None", _file_name: str) -> str:
    """A random place of its own: whoever has seen one name can guess no other."""
    return attachment_path(None, "").replace("attachments", "thumbnails", 1)


class AttachmentState(models.TextChoices):
    PENDING = "pending", _("Ждёт загрузки")
    FETCHING = "fetching", _("Загружается")
    READY = "ready", _("Готов")
    TOO_BIG = "too_big", _("Слишком большой")
    GONE = "gone", _("Telegram его больше не отдаёт")
    FAILED = "failed", _("Не загрузился")


class Missing(models.TextChoices):
    """Why a file is not here. Rows of earlier versions, and imported ones, may say it in words of their own."""

    TOO_BIG = "too_big", _("Файл слишком большой: Telegram не даёт ботам такие скачивать.")
    NOT_GIVEN = "not_given", _("Telegram больше не отдаёт этот файл.")
    OTHER_BOT = "other_bot", _("Файл получал другой бот, этому Telegram его не отдаст.")
    TOO_MANY = "too_many", _("Telegram просит подождать.")
    NO_ANSWER = "no_answer", _("Не получилось скачать файл из Telegram.")
    NOT_READ = "not_read", _("Файл не прочитать с диска сервера Bot API: проверьте TELEGRAM_LOCAL_FILES.")
    NOT_WRITTEN = "not_written", _("Не получилось сохранить файл: нет места на диске или прав.")
    BROKEN = "broken", _("Файл не удалось обработать.")
    NOT_IN_BACKUP = "no_backup", _("Файла не было в резервной копии.")
    LEFT_BEHIND = "left_behind", _("Файл остался в прежней системе.")


class ThumbnailState(models.TextChoices):
    """What became of a picture's small still. Until somebody has looked at a file there is no state."""

    MADE = "made", _("Есть")
    NEEDLESS = "needless", _("Не нужна")
    REFUSED = "refused", _("Картинка не читается")


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def due_for_fetching(self) -> "AttachmentQuerySet":
        """Files a worker may begin to fetch now, longest due first. Of one being fetched, the worker has died."""
        in_work = (AttachmentState.PENDING, AttachmentState.FETCHING)
        return self.filter(state__in=in_work, due_at__lte=timezone.now()).order_by("due_at", "pk")

    def without_thumbnail(self) -> "AttachmentQuerySet":
        """Files nobody has looked at yet for a small still, the newest first."""
        return self.filter(state=AttachmentState.READY, thumbnail_state__isnull=True).order_by("-pk")


class Attachment(models.Model):
    """A file of a message. The text never waits for it: a file has its own state and its own retries."""

    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="attachments", verbose_name=_("сообщение")
    )
    kind = models.CharField(_("вид"), max_length=40, choices=ContentType.choices)
    position = models.PositiveSmallIntegerField(_("порядок"), default=0)
    file = models.FileField(_("файл"), upload_to=attachment_path, max_length=200, blank=True)
    file_name = models.CharField(_("имя файла"), max_length=255, blank=True)
    sniffed_type = models.CharField(_("тип по содержимому"), max_length=80, blank=True)
    digest = models.CharField(
        _("отпечаток содержимого"), max_length=64, blank=True, db_default="", help_text=_("SHA-256 файла от менеджера.")
    )
    size = models.PositiveBigIntegerField(_("размер, байт"), null=True, blank=True)
    width = models.PositiveIntegerField(_("ширина"), null=True, blank=True)
    height = models.PositiveIntegerField(_("высота"), null=True, blank=True)
    duration = models.PositiveIntegerField(_("длительность, с"), null=True, blank=True)
    file_unique_id = models.CharField(_("постоянный номер в Telegram"), max_length=64, blank=True)
    state = models.CharField(
        _("состояние"), max_length=8, choices=AttachmentState.choices, default=AttachmentState.PENDING
    )
    reason = models.CharField(_("причина"), max_length=200, choices=Missing.choices, blank=True)
    attempts = models.PositiveSmallIntegerField(_("попытки"), default=0)
    due_at = models.DateTimeField(_("следующая попытка"), null=True, blank=True)
    thumbnail = models.FileField(
        _("уменьшенная картинка"), upload_to=thumbnail_path, max_length=200, blank=True, db_default=""
    )
    thumbnail_state = models.CharField(  # noqa: DJ001  # SQLite sees in NULL alone that a partial index answers
        _("что с уменьшенной картинкой"), max_length=8, choices=ThumbnailState.choices, null=True, blank=True
    )

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("файл")
        verbose_name_plural = _("файлы")
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state=AttachmentState.READY) | ~models.Q(file=""),
                name="attachment_ready_has_file",
            ),
        ]
        indexes = [
            # Jobs: files still to fetch, oldest due first.
            models.Index(
                fields=["due_at", "id"],
                condition=models.Q(state__in=[AttachmentState.PENDING, AttachmentState.FETCHING]),
                name="attachment_to_fetch",
            ),
            # Outbox: the same bytes sent before, which Telegram can send again by itself.
            models.Index(fields=["digest"], name="attachment_same_bytes"),
            # Jobs: files nobody has looked at for a small still, newest first.
            models.Index(
                fields=["state", "-id"],
                condition=models.Q(thumbnail_state__isnull=True),
                name="attachment_without_thumbnail",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or str(self.get_kind_display())

    @property
    def is_lost(self) -> bool:
        """Whether the file has gone from the disk since it came. A store over the network is not asked."""
        on_disk = isinstance(self.file.storage, FileSystemStorage)
        return self.state == AttachmentState.READY and on_disk and not self.file.storage.exists(str(self.file.name))
