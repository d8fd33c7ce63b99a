"""What every page of the desk knows about itself and its reader."""

from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from tickets import access
from tickets.models import User

NAME_LENGTH = 16


def desk(request: HttpRequest) -> dict[str, Any]:
    """The company's name; for a signed-in person also their theme and rights and a public name of their session."""
    known: dict[str, Any] = {"brand": settings.BRAND_NAME, "can_mail": bool(settings.EMAIL_URL)}
    user = getattr(request, "user", None)
    if isinstance(user, User):
        # Tabs of one session share one stream under this name; the key itself stays out of the page.
        session_name = sha256((request.session.session_key or "").encode()).hexdigest()[:NAME_LENGTH]
        known |= {"theme": user.theme, "session_name": session_name, "is_supervisor": access.is_supervisor(user)}
    return known
