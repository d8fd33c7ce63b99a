"""The ticket's page and its parts."""

from dataclasses import replace
from http import HTTPStatus

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tickets.models import Tag, Topic
from tickets.pages.queue import read_row
from tickets.pages.ticket import TicketPage, colleagues_writing, people_for
from tickets.sessions import RETYPED, Retyped
from tickets.views.answers import DeskRequest, find_ticket, ticket_answer, view_of


@require_safe
def ticket(request: DeskRequest, ticket_id: int) -> HttpResponse:
    """`before` shows an older page, `unfolded` every photo of it, `quote` answers a message, `edit` opens one for
    editing, all without a script.
    """
    page = TicketPage(
        find_ticket(request, ticket_id),
        request.user,
        quote_id=_number(request, "quote"),
        editing_id=_number(request, "edit"),
        before=_number(request, "before"),
        unfolded="unfolded" in request.GET,
    )
    return ticket_answer(request, _with_retyped(request, page))


def _with_retyped(request: DeskRequest, page: TicketPage) -> TicketPage:
    """The page with what its session keeps of an edit (`sign_in_first`); without the edit that is given up."""
    kept: Retyped | None = request.session.get(RETYPED)
    if kept is None or kept["ticket"] != page.ticket.pk:
        return page
    if kept["message"] != page.editing_id:
        del request.session[RETYPED]
        return page
    is_further_up = page.editing_id not in {message.pk for message in page.conversation.messages}
    before = page.editing_id + 1 if is_further_up else page.before
    return replace(page, retyped=kept["text"], before=before)


@require_safe
def messages(request: DeskRequest, ticket_id: int) -> HttpResponse:
    """Lines of the conversation: older than `before`, newer than `after` and the line of history `event`, or those of a
    folded series from message `first` to `last`.
    """
    page = TicketPage(find_ticket(request, ticket_id), request.user, before=_number(request, "before"))
    after, first, last = (_number(request, name) for name in ("after", "first", "last"))
    with timezone.override(page.zone):
        if first is not None and last is not None:
            series = page.reading.series(first, last)
            return render(request, "tickets/_lines.html", {"page": page, "conversation": series})
        if after is None:
            if page.before is None:
                page.reading.seen_id = None  # the open page has its line above what was new, and keeps it there
            return render(request, "tickets/_log.html", {"page": page, "conversation": page.conversation})
        conversation = page.reading.after(after, _number(request, "event"))
        if not conversation.lines:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return render(request, "tickets/_lines.html", {"page": page, "conversation": conversation})


@require_safe
def head(request: DeskRequest, ticket_id: int) -> HttpResponse:
    return _part(request, ticket_id, "tickets/_head.html")


@require_safe
def panel(request: DeskRequest, ticket_id: int) -> HttpResponse:
    return _part(request, ticket_id, "tickets/_panel_ticket.html")


@require_safe
def panel_rest(request: DeskRequest, ticket_id: int) -> HttpResponse:
    """The panel's parts that follow the customer and the messages, not the ticket's version."""
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    with timezone.override(page.zone):
        return render(request, "tickets/_panel_rest.html", {"page": page, "view": view_of(request)})


@require_safe
def state(request: DeskRequest, ticket_id: int) -> HttpResponse:
    """The strip above the composer: who answers, whether it is solved."""
    return _part(request, ticket_id, "tickets/_state.html")


def _part(request: DeskRequest, ticket_id: int, template: str) -> HttpResponse:
    """A part of the page that follows the ticket's version and the day; 204 where the browser has it already."""
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    if request.GET.get("v") == page.version:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    with timezone.override(page.zone):
        return render(request, template, {"page": page, "view": view_of(request)})


@require_safe
def row(request: DeskRequest, ticket_id: int) -> HttpResponse:
    found = read_row(request.user, ticket_id)
    if found is None:
        raise Http404
    return render(request, "tickets/_row.html", {"row": found, "view": view_of(request)})


@require_safe
def peer(request: DeskRequest, ticket_id: int) -> HttpResponse:
    """Which colleagues write an answer at this moment."""
    ticket = find_ticket(request, ticket_id)
    return render(request, "tickets/_peer.html", {"writing": colleagues_writing(ticket, request.user)})


@require_safe
def assignees(request: DeskRequest, ticket_id: int) -> HttpResponse:
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    return _choices(request, page, "tickets/_assignees.html", people=people_for(page.ticket))


@require_safe
def topics(request: DeskRequest, ticket_id: int) -> HttpResponse:
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    in_use = Topic.objects.filter(retired_at__isnull=True).order_by("position", "name")
    return _choices(request, page, "tickets/_topics.html", topics=in_use)


@require_safe
def tags(request: DeskRequest, ticket_id: int) -> HttpResponse:
    page = TicketPage(find_ticket(request, ticket_id), request.user)
    in_use = Tag.objects.filter(retired_at__isnull=True).exclude(tickets=page.ticket).order_by("name")
    return _choices(request, page, "tickets/_tags.html", tags=in_use)


def _choices(request: DeskRequest, page: TicketPage, template: str, **context: object) -> HttpResponse:
    """A list to choose from: inside its menu for htmx, a page of its own otherwise."""
    with timezone.override(page.zone):
        if request.htmx:
            return render(request, template, {"page": page, **context})
        return render(request, "tickets/choice.html", {"page": page, "choices": template, **context})


def _number(request: DeskRequest, name: str) -> int | None:
    value = request.GET.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 19 else None
