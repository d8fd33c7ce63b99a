"""The web process's entry point: the live stream beside Django's WSGI application in a fixed pool of threads.

A stream in a Django view would take a thread, and until it is told otherwise a database connection, for hours.
"""

from typing import Any

from a2wsgi import WSGIMiddleware

from helpdesk.wsgi import application as django_application  # sets Django up, so it comes before what needs models

# isort: split
from helpdesk.live.hub import Hub
from helpdesk.live.stream import EventStream, Receive, Send

#: Requests one process answers at a time, and so its database connections.
DJANGO_THREADS = 8
EVENTS_PATH = "/events"

hub = Hub()
events = EventStream(hub)
django: Any = WSGIMiddleware(django_application, workers=DJANGO_THREADS)  # type: ignore[arg-type]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    is_event_stream = scope["type"] == "http" and scope["path"] == EVENTS_PATH
    await (events if is_event_stream else django)(scope, receive, send)
