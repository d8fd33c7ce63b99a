"""Guessing at an account past its password, slowed down together with the password (django-axes)."""

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from tickets.models import User


def may_guess(request: HttpRequest, user: User) -> bool:
    """Whether this address may try again for this account; where not, the answer becomes that of a locked login."""
    credentials = {"username": user.username}
    if AxesProxyHandler.is_allowed(request, credentials):
        return True
    request.axes_locked_out, request.axes_credentials = True, credentials  # type: ignore[attr-defined]
    return False


def guessed_wrong(request: HttpRequest, user: User) -> None:
    """Count a wrong code like a wrong password."""
    user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
