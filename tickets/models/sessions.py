"""Where people are signed in at the desk: Django's session rows, with whose they are and since when."""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.people import User

if TYPE_CHECKING:
    from tickets.sessions import SessionStore


class DeskSessionQuerySet(models.QuerySet["DeskSession"]):
    def of(self, user: User) -> "DeskSessionQuerySet":
        """Where this person is signed in now, the latest in use first."""
        now = timezone.now()
        good = self.filter(user=user, expire_date__gt=now, signed_in_at__gt=now - settings.SESSION_LIVES)
        return good.filter(seen_at__gt=now - settings.SESSION_IDLES).order_by("-seen_at")


class DeskSession(AbstractBaseSession):
    """One sign-in in one browser. Deleting the row ends it, for pages and streams alike."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="desk_sessions")
    #: Names it where it is shown: the key itself would open it.
    device = models.CharField(max_length=32, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.CharField(max_length=45, blank=True)
    signed_in_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    objects = DeskSessionQuerySet.as_manager()  # type: ignore[assignment,misc]  # Django's own encodes, which nobody asks

    class Meta:
        verbose_name = _("вход в систему")
        verbose_name_plural = _("входы в систему")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.device}"

    @classmethod
    def get_session_store_class(cls) -> "type[SessionStore]":
        from tickets.sessions import SessionStore

        return SessionStore

    @property
    def is_over(self) -> bool:
        """Whether it is too old, or has not been used for too long (ASVS 5.0, 7.3.1 and 7.3.2)."""
        now = timezone.now()
        return now - self.signed_in_at >= settings.SESSION_LIVES or now - self.seen_at >= settings.SESSION_IDLES

    def was_seen_lately(self, within: timedelta) -> bool:
        return timezone.now() - self.seen_at < within
