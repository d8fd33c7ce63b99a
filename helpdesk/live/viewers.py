"""Who is listening. These functions ask the database, so they run in threads of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest

from tickets import access, operations
from tickets.models import User
from tickets.sessions import must_turn_on_second_factor

Scope = dict[str, Any]

#: What browsers say about who makes a request (https://www.w3.org/TR/fetch-metadata/): a page of ours, or a person.
OWN_FETCH_SITES = {"", "same-origin", "none"}


@dataclass(frozen=True)
class Viewer:
    """A signed-in person and the audiences (`tickets.access`) whose changes they may hear of."""

    user_id: int
    session_key: str
    tokens: frozenset[str]


class Refusal(Exception):
    """No stream for this request; `status` is the answer."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


def session_key(scope: Scope) -> str:
    """The session a request comes with.

    :raises Refusal: 405, 400 or 403 for a request no page of ours makes, 401 where there is no session.
    """
    if scope["method"] != "GET":
        raise Refusal(405)
    request = ASGIRequest(scope, BytesIO())
    try:
        host = request.get_host()
    except DisallowedHost:
        raise Refusal(400) from None
    origin = request.headers.get("Origin")
    if (origin and urlsplit(origin).netloc != host) or request.headers.get("Sec-Fetch-Site", "") not in OWN_FETCH_SITES:
        raise Refusal(403)
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        raise Refusal(401)
    return key


def identify(key: str) -> Viewer:
    """The person of a session, by the same rules as any page: signed in, active, password unchanged since.

    An open page is what makes colleagues expect an answer, so this marks the person present.

    :raises Refusal: 401 for nobody, 403 for somebody who does not work here.
    """
    try:
        return _identify(key)
    finally:
        # A stream lives for hours: it must not hold a connection all the while.
        connections.close_all()


def identify_again(viewers: Iterable[Viewer]) -> dict[Viewer, Viewer | None]:
    """What each of these viewers has become; None for those who are viewers no more."""
    try:
        return {viewer: _identify_or_none(viewer.session_key) for viewer in viewers}
    finally:
        connections.close_all()


def _identify(key: str) -> Viewer:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    if not isinstance(user, User):
        raise Refusal(401)
    if must_turn_on_second_factor(user, request.session):
        raise Refusal(403)
    tokens = access.audiences_of(user)
    if not tokens:
        raise Refusal(403)
    operations.mark_present(user=user)
    return Viewer(user_id=user.pk, session_key=key, tokens=tokens)


def _identify_or_none(key: str) -> Viewer | None:
    try:
        return _identify(key)
    except Refusal:
        return None
