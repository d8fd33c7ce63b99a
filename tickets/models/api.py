"""What the API remembers of its callers."""

from django.db import models
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


class ApiAnswer(models.Model):
    """What a write over the API was answered, under its caller's `clientId`: a repeat gets the same again."""

    caller = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("кто"),
        db_index=False,  # the unique constraint begins with it
    )
    key = models.CharField(_("clientId"), max_length=64)
    digest = models.CharField(_("отпечаток запроса"), max_length=64)
    status = models.PositiveSmallIntegerField(_("ответ"), null=True, blank=True)
    body = models.JSONField(_("тело ответа"), null=True, blank=True)
    created_at = models.DateTimeField(_("когда"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("ответ API")
        verbose_name_plural = _("ответы API")
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="api_answer_once")]
        indexes = [
            # Jobs: answers nobody will ask for again, to prune.
            models.Index(fields=["created_at"], name="api_answer_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.caller_id}: {self.key}"
