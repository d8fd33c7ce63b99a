"""What the API remembers of its callers."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from tickets.models.people import User


class ApiSession(models.Model):
    """One sign-in over the API: a family of refresh tokens of which only the newest is good.

    Access tokens name it too, so that ending it ends them at once.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_sessions", verbose_name=_("сотрудник"))
    refresh_id = models.CharField(_("действующий токен"), max_length=64)
    auth_hash = models.CharField(
        _("отпечаток пароля"), max_length=64, help_text=_("С новым паролем все прежние входы кончаются.")
    )
    address = models.GenericIPAddressField(_("адрес"), null=True, blank=True)
    agent = models.CharField(_("программа"), max_length=300, blank=True, db_default="")
    rotated_at = models.DateTimeField(_("обновлён"), default=timezone.now)
    expires_at = models.DateTimeField(_("до"))
    ended_at = models.DateTimeField(_("закончен"), null=True, blank=True)
    created_at = models.DateTimeField(_("вход"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("вход через API")
        verbose_name_plural = _("входы через API")
        indexes = [
            # Jobs: sign-ins that are over, to prune.
            models.Index(fields=["expires_at"], name="api_session_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.pk}"

    @property
    def is_good(self) -> bool:
        """Whether its tokens still open the API: not ended, not outlived, its person at work, the password the same."""
        is_open = self.ended_at is None and self.expires_at > timezone.now()
        is_same = constant_time_compare(self.auth_hash, self.user.get_session_auth_hash())
        return is_open and is_same and self.user.is_active


class Scope(models.TextChoices):
    """What a service account may do, for the customer it names on each call."""

    TICKETS_READ = "tickets:read", _("читать обращения и темы")
    TICKETS_WRITE = "tickets:write", _("открывать обращения")
    MESSAGES_READ = "messages:read", _("читать переписку и файлы")
    MESSAGES_WRITE = "messages:write", _("писать от имени клиента")
    CUSTOMERS_READ = "customers:read", _("читать карточку клиента")
    SESSIONS_READ = "sessions:read", _("читать, где стоит чат с ботом")
    SESSIONS_WRITE = "sessions:write", _("менять ожидаемые альбомы чата")
    EVENTS_READ = "events:read", _("читать события")


class ServiceAccount(models.Model):
    """A program that speaks for customers. It names one on every call and reaches only what is that customer's.

    Its key is `hdsk_<key_id>_<secret>`; the secret is 256 random bits, so that one SHA-256 keeps it as well as a slow
    hash would (OWASP ASVS 5.0, 11.4.2 is about passwords).
    """

    name = models.CharField(_("название"), max_length=60, unique=True)
    scopes = models.JSONField(_("права"), default=list)
    key_id = models.CharField(_("номер ключа"), max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("последний вызов"), null=True, blank=True, editable=False)
    key_issued_at = models.DateTimeField(_("ключ выдан"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("отозвана"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", verbose_name=_("кто добавил"), editable=False
    )
    created_at = models.DateTimeField(_("добавлена"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("программа")
        verbose_name_plural = _("программы")

    def __str__(self) -> str:
        return self.name

    @property
    def is_good(self) -> bool:
        """Whether its key opens the API."""
        return self.revoked_at is None


class ApiAnswer(models.Model):
    """What a write over the API was answered, under its caller's `clientId`: a repeat gets the same again."""

    caller = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("кто"),
        db_index=False,  # the unique constraint begins with it
    )
    service_account = models.ForeignKey(
        ServiceAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("программа"),
        db_index=False,  # its own unique constraint begins with it
    )
    key = models.CharField(_("clientId"), max_length=64)
    digest = models.CharField(_("отпечаток запроса"), max_length=64)
    status = models.PositiveSmallIntegerField(_("ответ"), null=True, blank=True)
    body = models.JSONField(_("тело ответа"), null=True, blank=True)
    created_at = models.DateTimeField(_("когда"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("ответ API")
        verbose_name_plural = _("ответы API")
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="api_answer_once"),
            models.UniqueConstraint(fields=["service_account", "key"], name="api_answer_once_per_program"),
            models.CheckConstraint(
                condition=Q(caller__isnull=True) ^ Q(service_account__isnull=True), name="api_answer_has_one_caller"
            ),
        ]
        indexes = [
            # Jobs: answers nobody will ask for again, to prune.
            models.Index(fields=["created_at"], name="api_answer_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.caller_id or self.service_account_id}: {self.key}"
