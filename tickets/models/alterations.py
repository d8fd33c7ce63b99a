from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.messages import Message

#: "A message can only be deleted if it was sent less than 48 hours ago." (Bot API, deleteMessage.) Own outgoing
#: messages in private chats are edited without such a limit ("editMessageText" names one for business messages only).
DELETABLE_FOR = timedelta(hours=48)


class AlterationKind(models.TextChoices):
    EDIT = "edit", _("Правка")
    DELETE = "delete", _("Удаление")
    REACTION = "reaction", _("Реакция")


class AlterationState(models.TextChoices):
    QUEUED = "queued", _("Меняется у клиента")
    SENDING = "sending", _("Меняется сейчас")
    DONE = "done", _("Изменено у клиента")
    FAILED = "failed", _("Не изменено у клиента")
    LEFT = "left", _("Не изменено, оставлено как есть")
    REPLACED = "replaced", _("Заменено следующим изменением")


class Obstacle(models.TextChoices):
    """Why the customer's Telegram still shows what it showed. The bridge maps Telegram's words to these."""

    GONE = "gone", _("Telegram не находит этого сообщения: возможно, клиент удалил его у себя")
    FIXED = "fixed", _("Telegram не даёт менять это сообщение")
    TOO_OLD = "too_old", _("прошло больше 48 часов, Telegram уже не удаляет это сообщение")
    TOO_LONG = "too_long", _("текст длиннее, чем позволяет Telegram")
    BLOCKED = "blocked", _("клиент остановил бота")
    DEACTIVATED = "deactivated", _("аккаунт клиента удалён")
    STALE = "stale", _("Telegram не подтвердил изменение за 30 минут")
    REFUSED = "refused", _("Telegram не принял изменение")
    RESTORED = "restored", _("база восстановлена из резервной копии, изменение могло пройти")

    @property
    def leaves_doubt(self) -> bool:
        """Whether the change may have come through all the same: nobody answered for it."""
        return self in (Obstacle.STALE, Obstacle.RESTORED)


class AlterationQuerySet(models.QuerySet["Alteration"]):
    def to_look_at(self) -> "AlterationQuerySet":
        """What the customer sees otherwise than the desk was told to show them, and nobody has said so be it."""
        return self.filter(state=AlterationState.FAILED).exclude(kind=AlterationKind.REACTION)


class Alteration(models.Model):
    """A change of a message that Telegram already has: other words, its deletion, our reaction to it.

    Those of one message are carried out one after another, and one not begun gives way to the next: the last wins.
    `text` is what the customer is to see (of a reaction its emoji, empty where it is taken away), `former_text` what
    they see until then. `steps_done` counts the requests Telegram has accepted: a reply may be several messages there.
    """

    UNSETTLED = (AlterationState.QUEUED, AlterationState.SENDING)

    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="alterations", verbose_name=_("сообщение")
    )
    kind = models.CharField(_("что меняется"), max_length=8, choices=AlterationKind.choices)
    text = models.TextField(_("новый текст"), blank=True)
    entities = models.JSONField(_("новая разметка"), default=list, blank=True)
    former_text = models.TextField(_("прежний текст"), blank=True)
    former_entities = models.JSONField(_("прежняя разметка"), default=list, blank=True)
    state = models.CharField(
        _("состояние"), max_length=8, choices=AlterationState.choices, default=AlterationState.QUEUED
    )
    obstacle = models.CharField(_("причина"), max_length=11, choices=Obstacle.choices, blank=True)
    steps_done = models.PositiveSmallIntegerField(_("принято запросов"), default=0)
    attempts = models.PositiveSmallIntegerField(_("попытки"), default=0)
    due_at = models.DateTimeField(_("не раньше"), default=timezone.now)
    expires_at = models.DateTimeField(_("не позже"))
    created_at = models.DateTimeField(_("когда"), default=timezone.now, editable=False)
    settled_at = models.DateTimeField(_("решено"), null=True, blank=True)

    objects = AlterationQuerySet.as_manager()

    class Meta:
        verbose_name = _("изменение у клиента")
        verbose_name_plural = _("изменения у клиента")
        indexes = [
            # Outbox: what is due, oldest first. Jobs: what has waited too long.
            models.Index(fields=["due_at"], condition=models.Q(state=AlterationState.QUEUED), name="alteration_due"),
            # Outbox: whether a request about the same message is under way.
            models.Index(
                fields=["message"], condition=models.Q(state=AlterationState.SENDING), name="alteration_in_flight"
            ),
            # Ticket rows, health and metrics: what a person has to look at.
            models.Index(
                fields=["message"], condition=models.Q(state=AlterationState.FAILED), name="alteration_failed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.get_kind_display()}, {self.get_state_display()}"

    @property
    def is_pending(self) -> bool:
        return self.state in self.UNSETTLED

    @property
    def needs_look(self) -> bool:
        """Whether it is one of those `to_look_at`."""
        return self.state == AlterationState.FAILED and self.kind != AlterationKind.REACTION
