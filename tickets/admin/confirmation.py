"""Acts on tickets that are done only after a page has shown the last word in each of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tickets.models import Event, Message, Sender, Ticket
from tickets.operations import Seen

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NOTHING_SEEN = Seen(0, 0)


@dataclass(frozen=True)
class Line:
    """A chosen row: its key, its ticket with the last word there, and what else names it."""

    key: int
    ticket: Ticket
    last: Message | None
    seen: Seen
    about: str


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the act comes from the page that asked."""
    return "confirmed" in request.POST


def ask(
    room: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    chosen: Iterable[tuple[int, int, str]],
    *,
    title: "StrOrPromise",
    button: "StrOrPromise",
    form: forms.Form | None = None,
) -> HttpResponse:
    """Show what is about to be acted on. `chosen` holds each row's key, its ticket's id and what else names it."""
    context = room.admin_site.each_context(request) | {
        "title": title,
        "button": button,
        "form": form,
        "lines": _lines(list(chosen)),
        "action": request.POST["action"],
        "opts": room.opts,
    }
    return TemplateResponse(request, "admin/tickets/act.html", context)


def _lines(chosen: list[tuple[int, int, str]]) -> list[Line]:
    of_people = Message.objects.filter(ticket=OuterRef("pk")).exclude(sender=Sender.SYSTEM).order_by("-pk")
    events = Event.objects.filter(ticket=OuterRef("pk")).order_by("-pk")
    found = (
        Ticket.objects.select_related("customer", "assignee")
        .annotate(last_said_id=Subquery(of_people.values("pk")[:1]), last_event_id=Subquery(events.values("pk")[:1]))
        .in_bulk([ticket_id for _key, ticket_id, _about in chosen])
    )
    last: dict[int, int] = {pk: getattr(ticket, "last_said_id", None) or 0 for pk, ticket in found.items()}
    messages = Message.objects.in_bulk(last.values())
    return [
        Line(
            key,
            found[ticket_id],
            messages.get(last[ticket_id]),
            Seen(last[ticket_id], getattr(found[ticket_id], "last_event_id", None) or 0),
            about,
        )
        for key, ticket_id, about in chosen
    ]


def seen_on_page(request: HttpRequest, ticket_id: int) -> Seen:
    """How far the page that asked showed this ticket; none shown means nothing seen."""
    with suppress(ValueError):
        return Seen.parse(request.POST.get(f"seen-{ticket_id}", ""))
    return NOTHING_SEEN
