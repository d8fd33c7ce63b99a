"""Signing in over the API, and writes that may be sent twice but are done once."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum, auto

from django.db import transaction
from django.utils import timezone

from tickets.access import Program
from tickets.models import ApiAnswer, ApiSession, User
from tickets.operations.errors import AnotherText

REFRESH_LIVES = timedelta(days=14)
#: A token just replaced may come again by accident: two tabs at once, an answer lost on the way. Later it is a thief's.
ACCIDENT = timedelta(seconds=10)
ANSWERS_LIVE = timedelta(days=7)


class Rotation(Enum):
    """What came of a refresh."""

    DONE = auto()
    REFUSED = auto()
    FAMILY_ENDED = auto()


def start_api_session(*, user: User, address: str | None = None, agent: str = "") -> ApiSession:
    """Sign this person in; the session's `refresh_id` names its one good refresh token.

    `address` and `agent` say where from, for the person's own list.
    """
    return ApiSession.objects.create(
        user=user,
        refresh_id=uuid.uuid4().hex,
        address=address,
        agent=agent,
        auth_hash=user.get_session_auth_hash(),
        expires_at=timezone.now() + REFRESH_LIVES,
    )


@transaction.atomic
def rotate_api_session(*, session_id: int, refresh_id: str) -> tuple[Rotation, ApiSession | None]:
    """Give a sign-in its next refresh token in exchange for the present one, which is good once.

    Of many who bring it at the same time one succeeds: they wait for each other at the row. A token that was replaced
    earlier ends the whole sign-in, since two hold it.
    """
    if not ApiSession.objects.select_for_update().filter(pk=session_id).values_list("pk", flat=True):
        return Rotation.REFUSED, None
    session = ApiSession.objects.select_related("user").get(pk=session_id)
    if not session.is_good:
        return Rotation.REFUSED, None
    now = timezone.now()
    if session.refresh_id != refresh_id:
        if now - session.rotated_at < ACCIDENT:
            return Rotation.REFUSED, None
        session.ended_at = now
        session.save(update_fields=["ended_at"])
        return Rotation.FAMILY_ENDED, None
    session.refresh_id, session.rotated_at, session.expires_at = uuid.uuid4().hex, now, now + REFRESH_LIVES
    session.save(update_fields=["refresh_id", "rotated_at", "expires_at"])
    return Rotation.DONE, session


def end_api_session(*, session_id: int, user: User) -> None:
    """Sign out: this sign-in's tokens, both kinds, are good no more."""
    ApiSession.objects.filter(pk=session_id, user=user, ended_at__isnull=True).update(ended_at=timezone.now())


@contextmanager
def answering_once(*, caller: User | Program, key: str, digest: str) -> Iterator[ApiAnswer]:
    """One transaction for a write and its kept answer. The body fills an answer that has no status yet, by `keep`.

    A second request under the same key waits for the first and finds its answer.

    :raises AnotherText: another request has been made under this key.
    """
    with transaction.atomic():
        whose = {"service_account": caller.account} if isinstance(caller, Program) else {"caller": caller}
        answer, _created = ApiAnswer.objects.get_or_create(**whose, key=key, defaults={"digest": digest})
        if answer.digest != digest:
            raise AnotherText
        yield answer


def prune_api(*, now: datetime | None = None) -> int:
    """Drop kept answers a week old and sign-ins that are over."""
    moment = now or timezone.now()
    answers, _rows = ApiAnswer.objects.filter(created_at__lt=moment - ANSWERS_LIVE).delete()
    sessions, _rows = ApiSession.objects.filter(expires_at__lt=moment).delete()
    return answers + sessions
