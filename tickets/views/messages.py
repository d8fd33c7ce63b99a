"""One message of a conversation: its bubble, and what can be decided about a reply that did not simply arrive."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from tickets import operations
from tickets.formatting import Formatted, pieces_of
from tickets.forms import SeenForm
from tickets.marks import retyped, typed
from tickets.models import Message, Ticket
from tickets.pages.bubbles import former_words
from tickets.pages.ticket import TicketPage
from tickets.rendering import render_note, render_text
from tickets.sessions import RETYPED
from tickets.text import utf16_length
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


def _of_ticket(ticket: Ticket, message_id: int) -> Message:
    """A message of another ticket is not there, whoever may see that one."""
    message = ticket.messages.filter(pk=message_id).first()
    if message is None:
        raise Http404
    return message


def _decide(
    request: DeskRequest, ticket: Ticket, message_id: int, decision: Callable[..., Message], **values: Any
) -> HttpResponse:
    _of_ticket(ticket, message_id)
    seen = valid(SeenForm(request.POST))["seen"]
    decision(message_id=message_id, actor=request.user, seen=seen, **values)
    return _shown_again(request, ticket, message_id)


def _shown_again(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    if not request.htmx:
        return redirect(f"{reverse('tickets:ticket', args=[ticket.pk])}#m{message_id}")
    return changed(request, ticket, message_id=message_id)


@act_on_ticket
def edit(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    message = _of_ticket(ticket, message_id)
    words = retyped(request.POST.get("text", ""), Formatted(message.text, message.entities))
    answer = _decide(request, ticket, message_id, operations.edit_reply, **words._asdict())
    request.session.pop(RETYPED, None)
    return answer


@act_on_ticket
def preview(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    """What has been typed as it will look, in as many messages as it leaves in, and how long it is; nothing where it
    will look as it was typed.
    """
    words, is_note = typed(request.POST.get("text", "")), request.POST.get("kind") == "note"
    pieces = [words] if is_note else pieces_of(*words)
    is_as_typed = words.text == request.POST.get("text", "").replace("\r\n", "\n").strip()
    if is_as_typed and not words.entities and len(pieces) == 1:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    render_words = render_note if is_note else render_text
    context = {"pieces": [render_words(*piece) for piece in pieces], "length": utf16_length(words.text)}
    return render(request, "tickets/_preview.html", context)


@act_on_ticket
def withdraw(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.withdraw)


@require_safe
def deleting(request: DeskRequest, ticket_id: int, message_id: int) -> HttpResponse:
    """Asks once more: what is gone from the customer's chat does not come back."""
    return _choices(request, ticket_id, message_id, "tickets/_deleting.html")


def _choices(request: DeskRequest, ticket_id: int, message_id: int, template: str, **context: object) -> HttpResponse:
    """What can be done with a message: inside its menu for htmx, a page of its own otherwise."""
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    message = page.ticket.messages.select_related("alteration").filter(pk=message_id).first()
    if message is None:
        raise Http404
    with timezone.override(page.zone):
        context = {"page": page, "message": message, "chosen": operations.wanted_reaction(message), **context}
        if request.htmx:
            return render(request, template, context)
        return render(request, "tickets/choice.html", {"choices": template, **context})


@require_safe
def former(request: DeskRequest, ticket_id: int, message_id: int) -> HttpResponse:
    """Everything a message has said before, in its own words: a title over a label is nothing to a finger."""
    message = _of_ticket(find_ticket(request, ticket_id), message_id)
    return _choices(request, ticket_id, message_id, "tickets/_former.html", former=former_words(message))


@require_safe
def reactions(request: DeskRequest, ticket_id: int, message_id: int) -> HttpResponse:
    """What a reaction may be; pressed is the one that stands there."""
    return _choices(request, ticket_id, message_id, "tickets/_reactions.html", reactions=operations.REACTIONS)


@act_on_ticket
def react(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    _of_ticket(ticket, message_id)
    operations.react(message_id=message_id, actor=request.user, emoji=request.POST.get("emoji", ""))
    return _shown_again(request, ticket, message_id)


@act_on_ticket
def delete(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.delete_reply)


@act_on_ticket
def leave(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.leave_as_is)


@act_on_ticket
def release(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.release)


@act_on_ticket
def mark_arrived(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.mark_arrived)


@act_on_ticket
def resend(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    return _decide(request, ticket, message_id, operations.resend)


@act_on_ticket
def reveal_cards(request: DeskRequest, ticket: Ticket, message_id: int) -> HttpResponse:
    """The numbers, once, in the answer itself: they are in no page that could be opened again."""
    _of_ticket(ticket, message_id)
    cards = operations.reveal_cards(message_id=message_id, actor=request.user)
    template = "tickets/_cards.html" if request.htmx else "tickets/cards.html"
    return render(request, template, {"cards": cards, "page": TicketPage(ticket, request.user)})
