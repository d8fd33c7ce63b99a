"""Browsers' sessions (Django's SESSION_ENGINE): rows of `SignIn` that a person can see and end."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from tickets import access
from tickets.models import SignIn, User
from tickets.models.sign_ins import AGENT_LENGTH


class Caller(TypedDict):
    address: str | None
    agent: str


#: Where a session keeps when it began, and from where.
BEGAN = "sign_in"
#: Where a session keeps that a second factor opened it.
HAS_GIVEN_CODE = "has_given_code"
#: Where a session keeps the new words of a reply whose editing led to the login page.
RETYPED = "retyped"


class Retyped(TypedDict):
    ticket: int
    message: int
    text: str


def row_key(session_key: str) -> str:
    """What the row of this session is called."""
    return salted_hmac("tickets.SignIn", session_key, algorithm="sha256").hexdigest()


def caller(request: HttpRequest) -> Caller:
    """Where a sign-in comes from: the address, and what the browser or program calls itself."""
    agent = request.headers.get("User-Agent", "").replace("\0", "")
    try:
        address = str(ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:  # a socket file, or a proxy that says "unknown"
        address = None
    return {"address": address, "agent": agent[:AGENT_LENGTH]}


def must_turn_on_second_factor(user: User | AnonymousUser, session: SessionBase) -> bool:
    """Whether the site waits for this person to turn on a second factor (SUPERVISORS_NEED_SECOND_FACTOR)."""
    return (
        settings.SUPERVISORS_NEED_SECOND_FACTOR
        and access.is_supervisor(user)
        and not session.get(HAS_GIVEN_CODE, False)
    )


class SessionStore(db.SessionStore):
    """Django's own, but the database holds a hash of the key, and lifetimes are asked with every load.

    `row` is the sign-in that was loaded, if any.
    """

    row: SignIn | None = None

    @classmethod
    def get_model_class(cls) -> type[SignIn]:
        return SignIn

    def exists(self, session_key: str) -> bool:
        return super().exists(row_key(session_key))

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(row_key(key))

    def create_model_instance(self, data: dict[str, Any]) -> SignIn:
        now = timezone.now()
        user_id = data.get(SESSION_KEY)
        # Signed in by whatever door: the lifetime begins.
        began = data.setdefault(BEGAN, {"at": now.isoformat()}) if user_id else {}
        return SignIn(
            session_key=row_key(self._get_or_create_session_key()),  # type: ignore[attr-defined]  # the stubs leave it out
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=int(user_id) if user_id else None,
            address=began.get("address"),
            agent=began.get("agent", ""),
            is_remembered=bool(data.get("_session_expiry")),
            created_at=datetime.fromisoformat(began["at"]) if began else now,
            seen_at=now,
        )

    def _get_session_from_db(self) -> SignIn | None:
        row = SignIn.objects.filter(pk=row_key(self.session_key or "")).first()
        self.row = row if row is not None and row.is_good(timezone.now()) else None
        if self.row is None:
            self._session_key = None
        return self.row
