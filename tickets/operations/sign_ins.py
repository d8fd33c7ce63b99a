"""Being signed in: in use, ended by its person, outlived."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tickets.models import ApiSession, SignIn, User
from tickets.operations.people import SEEN_EVERY, revoke


def mark_sign_in_used(*, sign_in: SignIn) -> None:
    """Remember that somebody is using this browser, at most once a minute."""
    now = timezone.now()
    if now - sign_in.seen_at >= SEEN_EVERY:
        SignIn.objects.filter(pk=sign_in.pk, seen_at__lte=now - SEEN_EVERY).update(seen_at=now)


@transaction.atomic
def end_sign_in(*, user: User, key: str) -> None:
    """Sign one of this person's browsers out: its pages and its stream. One that is over already stays so."""
    SignIn.objects.filter(user=user, pk=key).delete()
    # Streams do not say whose browser they are: all close, and the others open again.
    revoke(user=user)


@transaction.atomic
def end_other_sign_ins(*, user: User, keep: str) -> None:
    """Sign this person out everywhere, over the API too, but in the browser whose key is `keep`."""
    SignIn.objects.filter(user=user).exclude(pk=keep).delete()
    ApiSession.objects.filter(user=user, ended_at__isnull=True).update(ended_at=timezone.now())
    revoke(user=user)


def prune_sign_ins(*, now: datetime | None = None) -> int:
    """Drop sessions that open nothing any more."""
    moment = now or timezone.now()
    longest_idle: timedelta = max(settings.SESSION_IDLE, settings.SESSION_REMEMBERED_IDLE)
    outlived = Q(expire_date__lt=moment) | Q(created_at__lt=moment - settings.SESSION_LIFETIME)
    unused = Q(user__isnull=False, seen_at__lt=moment - longest_idle)
    dropped, _rows = SignIn.objects.filter(outlived | unused).delete()
    return dropped
