"""Who is signed in where."""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.people import User

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

AGENT_LENGTH = 300


class SignInQuerySet(models.QuerySet["SignIn"]):
    """The sign-ins a screen is made of."""

    def good_at(self, moment: datetime) -> "SignInQuerySet":
        """Those whose pages still open; the set of `SignIn.is_good`."""
        in_use = models.Q(is_remembered=False, seen_at__gt=moment - settings.SESSION_IDLE) | models.Q(
            is_remembered=True, seen_at__gt=moment - settings.SESSION_REMEMBERED_IDLE
        )
        return self.filter(
            in_use, user__isnull=False, expire_date__gt=moment, created_at__gt=moment - settings.SESSION_LIFETIME
        )

    def of(self, user: User) -> "SignInQuerySet":
        """One person's, the latest in use first."""
        return self.good_at(timezone.now()).filter(user=user).order_by("-seen_at", "pk")


class SignIn(AbstractBaseSession):
    """One browser's session: whose it is, where from and since when.

    The row's key is a hash of the one in the browser's cookie (`tickets.sessions`): whoever reads this table can sign
    in as nobody. Without the row the session is over, whatever the browser keeps.
    """

    session_key = models.CharField(_("отпечаток ключа"), max_length=64, primary_key=True)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="sign_ins", verbose_name=_("сотрудник")
    )
    address = models.GenericIPAddressField(_("адрес"), null=True)
    agent = models.CharField(_("браузер"), max_length=AGENT_LENGTH, blank=True)
    is_remembered = models.BooleanField(_("не выходить"), default=False)
    created_at = models.DateTimeField(_("вход"), default=timezone.now)
    seen_at = models.DateTimeField(_("в последний раз"), default=timezone.now)

    # In place of Django's, which could write sessions: their store alone does.
    objects: ClassVar[models.Manager["SignIn"]] = SignInQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("вход")
        verbose_name_plural = _("входы")

    def __str__(self) -> str:
        return f"{self.user_id}, {self.created_at}"

    @classmethod
    def get_session_store_class(cls) -> "type[SessionBase]":
        from tickets.sessions import SessionStore

        return SessionStore

    def is_good(self, moment: datetime) -> bool:
        """Whether it still opens pages: neither left unused for too long nor too old."""
        if self.user_id is None:
            return self.expire_date > moment
        idle = settings.SESSION_REMEMBERED_IDLE if self.is_remembered else settings.SESSION_IDLE
        ends = min(self.expire_date, self.created_at + settings.SESSION_LIFETIME, self.seen_at + idle)
        return bool(ends > moment)
