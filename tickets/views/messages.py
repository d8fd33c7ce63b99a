"""One message of a conversation: its bubble, and what can be decided about a reply that did not simply arrive."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from tickets import operations
from tickets.forms import SeenForm
from tickets.models import Message, Ticket
from tickets.pages.ticket import TicketPage
from tickets.views.answers import DeskRequest, act_on_ticket, changed, find_ticket, valid, view_of


@require_safe
def bubble(request: DeskRequest, ticket_id: int, message_id: int) -> HttpResponse:
    """One bubble as it stands now; opened for editing with `edit`."""
    ticket = find_ticket(request, ticket_id)
    editing_id = message_id if "edit" in request.GET else None
    if not request.htmx:
        return redirect(f"{reverse('tickets:ticket', args=[ticket_id])}#m{message_id}")
    return _bubble(request, ticket, message_id, editing_id=editing_id)


def _bubble(request: DeskRequest, ticket: Ticket, message_id: int, *, editing_id: int | None = None) -> HttpResponse:
    page = TicketPage(ticket, request.user, editing_id=editing_id)
    with timezone.override(page.zone):
        found = page.reading.bubble(message_id)
        if found is None:
            raise Http404
        return render(request, "tickets/_bubble.html", {"page": page, "line": found, "view": view_of(request)})


def _of_ticket(ticket: Ticket, message_id: int) -> None:
    """A message of another ticket is not there, whoever may see that one."""
    if not ticket.messages.filter(pk=message_id).exists():
        raise Http404


def _decide(
    request: DeskRequest, ticket: Ticket, message_id: int, decision: Callable[..., Message], **values: Any
) -> HttpResponse:
    _of_ticket(ticket, message_id)
    seen = valid(SeenForm(request.POST))["seen"]
    decision(message_id=message_id, actor=request.user, seen=seen, **values)
    if not request.htmx:
        return redirect(f"{reverse('tickets:ticket', args=[ticket.pk])}#m{message_id}")
    return changed(request, ticket, message_id=message_id)


@act_on_ticket
def edit(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.edit_reply, text=request.POST.get("text", ""))


@act_on_ticket
def withdraw(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.withdraw)


@act_on_ticket
def release(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.release)


@act_on_ticket
def mark_arrived(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.mark_arrived)


@act_on_ticket
def resend(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.resend)
