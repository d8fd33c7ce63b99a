"""What a manager does with a ticket: answer, note, take, hand over, solve, put away, sort."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from tickets import operations
from tickets.forms import AssignForm, DraftForm, PriorityForm, SeenForm, SnoozeForm, TagForm, TopicForm, WriteForm
from tickets.models import Draft, Message, Status, Ticket
from tickets.operations import NotVisible, Outdated, Seen, Then
from tickets.pages.ticket import TicketPage
from tickets.views.answers import DeskRequest, act_on_ticket, changed, valid, write_on_ticket


@write_on_ticket
def reply(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    """The composer's one door: its mode says whether the customer or only the team reads it."""
    if request.POST.get("kind") == "note":
        return _note(request, ticket)
    form = _write_form(request, ticket)
    written = operations.reply(ticket_id=ticket.pk, actor=request.user, **form.reply_values)
    # A repeated submit does nothing anew, whatever it asks for: what it did the first time stands in the ticket.
    is_solved = written.ticket is not None and written.ticket.status == Status.RESOLVED
    solved = is_solved and form.reply_values["then"] == Then.RESOLVE
    if not solved:
        return _written(request, ticket, form, written)
    return _written(request, ticket, form, written, toast=_solved(ticket), undo=form.read_to)


@write_on_ticket
def note(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    return _note(request, ticket)


def _note(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    form = _write_form(request, ticket)
    written = operations.note(ticket_id=ticket.pk, actor=request.user, **form.note_values)
    return _written(request, ticket, form, written)


def _write_form(request: DeskRequest, ticket: Ticket) -> WriteForm:
    form = WriteForm(TicketPage(ticket, request.user).zone, request.POST, request.FILES)
    valid(form)
    return form


def _written(
    request: DeskRequest,
    ticket: Ticket,
    form: WriteForm,
    written: Message,
    *,
    toast: str = "",
    undo: Seen | None = None,
) -> HttpResponse:
    """What was written is no draft any more, and what stood above it has been read."""
    operations.drop_draft(ticket_id=ticket.pk, user=request.user)
    with suppress(NotVisible):  # written for the first time or not, by now the ticket may be lost
        operations.mark_seen(ticket_id=ticket.pk, user=request.user, message_id=form.read_to.message)
    return changed(request, ticket, toast=toast, undo=undo, written=written)


@act_on_ticket
def take(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.take(ticket_id=ticket.pk, actor=request.user, seen=seen)
    return changed(request, ticket, toast=_("Обращение №%(n)s теперь ваше") % {"n": ticket.pk})


@act_on_ticket
def assign(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    chosen = valid(AssignForm(request.POST))
    operations.assign(ticket_id=ticket.pk, actor=request.user, assignee_id=chosen["assignee"], seen=chosen["seen"])
    returned = chosen["assignee"] is None
    toast = _("Обращение №%(n)s возвращено в очередь") if returned else _("Обращение №%(n)s передано")
    return changed(request, ticket, toast=toast % {"n": ticket.pk})


@act_on_ticket
def resolve(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.resolve(ticket_id=ticket.pk, actor=request.user, seen=seen)
    return changed(request, ticket, toast=_solved(ticket), undo=seen)


def _solved(ticket: Ticket) -> str:
    return _("Обращение №%(n)s решено") % {"n": ticket.pk}


@act_on_ticket
def undo(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.undo_resolve(ticket_id=ticket.pk, actor=request.user, seen=seen)
    return changed(request, ticket, toast=_("Обращение №%(n)s снова в работе") % {"n": ticket.pk})


@act_on_ticket
def reopen(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.reopen(ticket_id=ticket.pk, actor=request.user, seen=seen)
    return changed(request, ticket, toast=_("Обращение №%(n)s снова в работе") % {"n": ticket.pk})


@act_on_ticket
def snooze(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    page = TicketPage(ticket, request.user)
    seen = valid(SeenForm(request.POST))["seen"]
    until = valid(SnoozeForm(page.zone, request.POST))["snooze_until"]
    operations.snooze(ticket_id=ticket.pk, actor=request.user, until=until, seen=seen)
    return changed(request, ticket, toast=_("Обращение №%(n)s отложено") % {"n": ticket.pk})


@act_on_ticket
def unsnooze(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.unsnooze(ticket_id=ticket.pk, actor=request.user, seen=seen)
    return changed(request, ticket, toast=_("Обращение №%(n)s снова в очереди") % {"n": ticket.pk})


@act_on_ticket
def set_topic(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    chosen = valid(TopicForm(request.POST))
    operations.set_topic(ticket_id=ticket.pk, actor=request.user, topic_id=chosen["topic"], seen=chosen["seen"])
    return changed(request, ticket)


@act_on_ticket
def set_priority(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    chosen = valid(PriorityForm(request.POST))
    operations.set_priority(ticket_id=ticket.pk, actor=request.user, priority=chosen["priority"], seen=chosen["seen"])
    return changed(request, ticket)


@act_on_ticket
def change_tags(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    chosen = valid(TagForm(request.POST))
    common = {"ticket_id": ticket.pk, "actor": request.user, "seen": chosen["seen"]}
    if chosen["remove"] is not None:
        operations.remove_tag(tag_id=chosen["remove"], **common)
    else:
        operations.add_tag(name=chosen["name"], **common)
    return changed(request, ticket)


@act_on_ticket
def mark_seen(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    seen = valid(SeenForm(request.POST))["seen"]
    operations.mark_seen(ticket_id=ticket.pk, user=request.user, message_id=seen.message)
    if request.htmx or request.headers.get("X-Requested-With"):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return changed(request, ticket)


@act_on_ticket
def mark_unread(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    operations.mark_unread(ticket_id=ticket.pk, user=request.user)
    return changed(request, ticket, toast=_("Обращение №%(n)s снова непрочитанное") % {"n": ticket.pk})


@act_on_ticket
def save_draft(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    """A draft that comes late is answered with the newer one, which takes its place in the field."""
    draft = valid(DraftForm(request.POST))
    try:
        operations.save_draft(
            ticket_id=ticket.pk,
            user=request.user,
            text=draft["text"],
            is_note=draft["is_note"],
            quote_id=draft["quote"],
            written_at=draft["at"],
        )
    except Outdated as refusal:
        return JsonResponse(_newer(refusal.draft), status=refusal.status)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _newer(draft: Draft | None) -> dict[str, Any]:
    now = timezone.now()
    if draft is None:
        return {"text": "", "note": False, "quote": "", "at": now, "now": now}
    quote = str(draft.quote_id or "")
    return {"text": draft.text, "note": draft.is_note, "quote": quote, "at": draft.updated_at, "now": now}


@act_on_ticket
def show_typing(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    operations.show_typing(ticket_id=ticket.pk, user=request.user)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@act_on_ticket
def reveal_phone(request: DeskRequest, ticket: Ticket) -> HttpResponse:
    """The whole number, once, in the answer itself: it is in no page that could be opened again."""
    phone = operations.reveal_phone(ticket_id=ticket.pk, actor=request.user)
    template = "tickets/_phone.html" if request.htmx else "tickets/phone.html"
    return render(request, template, {"phone": phone, "page": TicketPage(ticket, request.user)})
