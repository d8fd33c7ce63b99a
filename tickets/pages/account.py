"""A person's own account: where they are signed in."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models import SignIn, User

# Names browsers and systems go by in a User-Agent (https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5), the telling
# ones first: nearly every browser calls itself Safari too, most of them Chrome.
BROWSERS = (
    ("YaBrowser/", "Яндекс Браузер"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("OPR/", "Opera"),
    ("Edg", "Edge"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
MOST_SHOWN = 100


@dataclass(frozen=True)
class Device:
    """One sign-in as its person sees it. `key` names it to the server; `is_this` marks the browser that asks."""

    key: str
    name: str
    address: str | None
    signed_in_at: datetime
    seen_at: datetime
    is_this: bool = False


def browsers_of(user: User, *, this: str) -> list[Device]:
    """Where this person is signed in at the desk, the browser that asks first; `this` is the key of its sign-in."""
    found = [
        Device(
            key=sign_in.pk,
            name=browser_name(sign_in.agent),
            address=sign_in.address,
            signed_in_at=sign_in.created_at,
            seen_at=sign_in.seen_at,
            is_this=sign_in.pk == this,
        )
        for sign_in in SignIn.objects.of(user)[:MOST_SHOWN]
    ]
    return sorted(found, key=lambda device: not device.is_this)


def programs_of(user: User) -> list[Device]:
    """Who is signed in over the API as this person; a program is in use whenever it renews its token."""
    sessions = user.api_sessions.filter(ended_at__isnull=True, expires_at__gt=timezone.now())
    return [
        Device(
            key=str(session.pk),
            name=program_name(session.agent),
            address=session.address,
            signed_in_at=session.created_at,
            seen_at=session.rotated_at,
        )
        for session in sessions.order_by("-rotated_at", "-pk")[:MOST_SHOWN]
        if session.is_good
    ]


def browser_name(agent: str) -> str:
    """The browser and its system, as far as a User-Agent tells, such as "Firefox, Windows"."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (browser, system))) or str(_("Неизвестный браузер"))


def program_name(agent: str) -> str:
    """A browser where it is one, else the first word of what the program calls itself."""
    is_browser = agent.startswith("Mozilla/")
    return browser_name(agent) if is_browser else agent.split(" ", maxsplit=1)[0] or str(_("Неизвестная программа"))
