"""Errors reported to a Sentry, where SENTRY_DSN names one: where in the code, never about whom.

Nothing is scrubbed out of what would be sent: a report is made anew from what is known to hold no words of anybody.
An exception's own message stays here too, since a database quotes the row it refused. The log has it, under the same
request id.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

from helpdesk import logs
from tickets.log_context import request_id

Json = dict[str, Any]

#: What a report keeps beside its exception, its request and its message.
KEPT = ("event_id", "timestamp", "level", "platform", "logger", "transaction", "environment", "sdk")
#: Of a frame: where in the code it is. Its variables are never read.
KEPT_OF_FRAME = ("filename", "function", "module", "lineno", "context_line", "in_app")
#: Loggers whose messages are templates, filled in by arguments that stay here.
TEMPLATED = ("helpdesk", "tickets", "botbridge", "django")


def start(dsn: str, transport: Transport | None = None) -> None:
    """Report errors of this process, and lines logged as errors; nothing of what goes well is measured."""
    sentry_sdk.init(
        dsn=dsn,
        transport=transport,
        before_send=report,  # type: ignore[arg-type]  # the library's own type of an event is stricter than its events
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration()],
    )


def report(event: Json, hint: Json) -> Json:
    """What leaves for Sentry in place of an event."""
    made: Json = {name: event[name] for name in KEPT if name in event}
    if exceptions := event.get("exception", {}).get("values"):
        made["exception"] = {"values": [_exception(exception) for exception in exceptions]}
    if message := _template(event):
        made["logentry"] = {"message": message}
    if request := event.get("request"):
        made["request"] = {"method": request.get("method"), "url": request.get("url", "").partition("?")[0]}
    if request_name := request_id.get():
        made["tags"] = {"request_id": request_name}
    scrubbed: Json = _scrubbed(made)
    return scrubbed


def _exception(exception: Json) -> Json:
    frames = exception.get("stacktrace", {}).get("frames", [])
    return {
        "type": exception.get("type"),
        "module": exception.get("module"),
        "mechanism": {"type": "generic", "handled": exception.get("mechanism", {}).get("handled", True)},
        "stacktrace": {"frames": [{name: frame.get(name) for name in KEPT_OF_FRAME} for frame in frames]},
    }


def _template(event: Json) -> str | None:
    """A line's words before its arguments were filled in."""
    if str(event.get("logger", "")).partition(".")[0] not in TEMPLATED:
        return None
    message = event.get("logentry", {}).get("message")
    return str(message) if message is not None else None


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return logs.scrub(value)
    if isinstance(value, dict):
        return {name: _scrubbed(inner) for name, inner in value.items()}
    return [_scrubbed(inner) for inner in value] if isinstance(value, list | tuple) else value
