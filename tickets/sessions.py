"""Django's sessions (SESSION_ENGINE) in rows that say whose they are, so that people see and end their own."""

import secrets
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest
from django.utils import timezone

from tickets.models import DeskSession

#: What a session remembers of its beginning; its row's columns are made of these each time it is saved.
DEVICE, AGENT, ADDRESS, SINCE = "device", "user_agent", "address", "signed_in_at"


class SessionStore(DatabaseStore):
    """A session that is too old or was idle for too long is none, whoever asks: page, fragment or stream."""

    #: The row this session was read from; None for a new one.
    row: DeskSession | None = None

    @classmethod
    def get_model_class(cls) -> type[DeskSession]:
        return DeskSession

    def _get_session_from_db(self) -> DeskSession | None:
        row: DeskSession | None = super()._get_session_from_db()  # type: ignore[misc]  # the stubs leave it out
        if row is not None and row.is_over:
            self._session_key = row = None
        self.row = row
        return row

    def create_model_instance(self, data: dict[str, Any]) -> DeskSession:
        row = super().create_model_instance(data)
        assert isinstance(row, DeskSession)
        row.user_id = data.get(SESSION_KEY)
        row.device, row.user_agent, row.address = data.get(DEVICE, ""), data.get(AGENT, ""), data.get(ADDRESS, "")
        if SINCE in data:
            row.signed_in_at = datetime.fromisoformat(data[SINCE])
        return row


def begin(request: HttpRequest) -> None:
    """Write down where and when somebody has signed in."""
    request.session[DEVICE] = secrets.token_hex(16)
    request.session[AGENT] = request.headers.get("User-Agent", "")[:300]
    request.session[ADDRESS] = request.META.get("REMOTE_ADDR", "")[:45]
    request.session[SINCE] = timezone.now().isoformat()


#: Words in a user agent and what they mean, the first that is found. Browsers name those they descend from after
#: themselves, so the youngest come first (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/User-Agent).
BROWSERS = {
    "YaBrowser/": "Яндекс Браузер",
    "OPR/": "Opera",
    "Edg/": "Edge",
    "EdgA/": "Edge",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def name_of(user_agent: str) -> str:
    """What a browser says it is, in two words: «Firefox, Windows»; empty where it says nothing known."""
    browser = next((name for word, name in BROWSERS.items() if word in user_agent), "")
    system = next((name for word, name in SYSTEMS.items() if word in user_agent), "")
    return ", ".join(filter(None, (browser, system)))
