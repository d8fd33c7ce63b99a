"""How the desk answers: whole pages, fragments, and a refusal in words with nothing lost."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget
from django_htmx.middleware import HtmxDetails

from tickets import access
from tickets.forms import SignInForm
from tickets.models import Message, Sender, Ticket, User, View
from tickets.operations import AnotherText, Invalid, NotVisible, Refused, Seen
from tickets.pages.queue import Row, read_queue
from tickets.pages.ticket import TicketPage, ticket_for_page

P = ParamSpec("P")


class VisitorRequest(HttpRequest):
    """A request at the door: it may come from htmx in a page whose session has ended."""

    htmx: HtmxDetails


class DeskRequest(VisitorRequest):
    """A request past the door: somebody is signed in."""

    user: User


TicketView = Callable[Concatenate[DeskRequest, Ticket, P], HttpResponse]


def find_ticket(request: DeskRequest, ticket_id: int) -> Ticket:
    """The ticket, if this person sees it.

    :raises Http404: absent and hidden are told alike.
    """
    ticket = ticket_for_page(request.user, ticket_id)
    if ticket is None:
        raise Http404(NotVisible.message)
    return ticket


def act_on_ticket(view: TicketView[P]) -> Callable[..., HttpResponse]:
    """A POST that acts on one visible ticket. A refusal becomes its answer; the text typed comes back with it."""

    @wraps(view)
    def act(request: DeskRequest, ticket: Ticket, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not access.can_see(request.user, ticket):
            raise NotVisible
        return view(request, ticket, *args, **kwargs)

    return write_on_ticket(act)


def write_on_ticket(view: TicketView[P]) -> Callable[..., HttpResponse]:
    """As `act_on_ticket`, where the operation alone says for whom the ticket is there: a browser may repeat what it
    has written on a ticket it has lost since, and must hear that it was written. The view shows nothing of a ticket.
    """

    @login_not_required  # it asks for a sign-in itself, so that the text typed comes through that too
    @require_POST
    @wraps(view)
    def act(visitor: VisitorRequest, ticket_id: int, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not visitor.user.is_authenticated:
            return sign_in_first(visitor, ticket_id, cast("int | None", kwargs.get("message_id")))
        request = cast("DeskRequest", visitor)
        ticket = Ticket.objects.select_related("customer", "topic", "assignee", "team").filter(pk=ticket_id).first()
        if ticket is None:
            raise Http404(NotVisible.message)
        try:
            return view(request, ticket, *args, **kwargs)
        except NotVisible as hidden:
            raise Http404(hidden.message) from hidden
        except Refused as refusal:
            message_id = cast("int | None", kwargs.get("message_id"))
            return refused(request, find_ticket(request, ticket_id), refusal, message_id)

    return act


@never_cache
def sign_in_first(request: VisitorRequest, ticket_id: int, message_id: int | None = None) -> HttpResponse:
    """The session is over: the login page, from which what was typed goes on to the ticket's page: new words of message
    `message_id` to where they were typed, any other as a draft.

    Nothing is kept here for somebody unknown: the page itself holds it.
    """
    page = reverse("tickets:ticket", args=[ticket_id])
    if request.htmx:
        return redirect_to_login(page)
    edited = message_id if "text" in request.POST else None
    context = {
        "form": SignInForm(request),
        "next": f"{page}?edit={edited}#m{edited}" if edited is not None else page,
        "carried": {
            "edit": edited or "",
            "ticket": ticket_id,
            "text": request.POST.get("text", ""),
            "is_note": "on" if request.POST.get("kind") == "note" else "",
            "quote": request.POST.get("quote", ""),
        },
        "had_files": bool(request.FILES),
    }
    return render(request, "tickets/login.html", context, status=HTTPStatus.UNAUTHORIZED)


def valid(form: forms.Form) -> dict[str, Any]:
    """What the form holds.

    :raises Invalid: with the first thing wrong in it.
    """
    if form.is_valid():
        return form.cleaned_data
    field, errors = next(iter(form.errors.items()))
    raise Invalid(field, str(errors[0]))


def ticket_answer(request: DeskRequest, page: TicketPage, status: int = HTTPStatus.OK) -> HttpResponse:
    """The ticket's page, or only its sheet where the rest already stands in the browser."""
    with timezone.override(page.zone):
        if wants_fragment(request):
            return render(request, "tickets/_sheet.html", {"page": page, "view": view_of(request)}, status=status)
        queue = read_queue(request.user, view=view_of(request), current_id=page.ticket.pk)
        return render(request, "tickets/ticket.html", {"page": page, "queue": queue, "view": queue.view}, status=status)


def changed(
    request: DeskRequest,
    ticket: Ticket,
    *,
    toast: str = "",
    undo: Seen | None = None,
    written: Message | None = None,
    message_id: int | None = None,
) -> HttpResponse:
    """What an act changed: fragments for htmx, the page again otherwise.

    With `undo`, how far the ticket was read, the toast offers to take it back while that is possible; with `written`
    the composer gets the id of its next message; `message_id` names the bubble to show anew.
    """
    fresh = ticket_for_page(request.user, ticket.pk, with_row=True)
    if fresh is None and written is not None:
        return written_and_lost(request, ticket, written)
    if toast and (fresh is None or not request.htmx):
        messages.success(request, toast)
    if fresh is None:
        return gone_to_queue(request)
    if not request.htmx:
        return redirect("tickets:ticket", ticket.pk)
    page = TicketPage(fresh, request.user)
    with timezone.override(page.zone):
        context = {
            "page": page,
            "view": view_of(request),
            **new_lines(request, page),
            "bubble": page.reading.bubble(message_id) if message_id is not None else None,
            "row": Row(fresh, request.user, page.now, is_current=True),
            "toast": toast,
            "undo": undo if page.can_undo else None,
            "written": written,
        }
        return render(request, "tickets/_changed.html", context)


def new_lines(request: DeskRequest, page: TicketPage) -> dict[str, Any]:
    """The lines of the conversation the browser has not yet, `new`, and bubbles it has that are not as they were.

    Those, `renewed`, are albums that have grown and the changed messages an act was refused for.

    It says itself where its own end.
    """
    after, event = request.POST.get("after", ""), request.POST.get("event", "")
    try:
        known = Seen.parse(f"{after}.{event}")
    except ValueError:
        return {}
    new = page.reading.after(known.message, known.event)
    revised = page.unseen.revised if page.unseen else []
    renewed = {part.message.pk for part in new.joining} | {message.pk for message in revised}
    return {"new": new, "renewed": [page.reading.bubble(message_id) for message_id in sorted(renewed)]}


def gone_to_queue(request: DeskRequest) -> HttpResponse:
    """The ticket went out of this person's sight by their own act: back to the queue."""
    if request.htmx:
        return HttpResponseClientRedirect(reverse("tickets:queue"))
    return redirect("tickets:queue")


def written_and_lost(request: DeskRequest, ticket: Ticket, message: Message) -> HttpResponse:
    """What was written stands in a ticket this person sees no more: words that it does, and nothing of the ticket.

    The page stays as it is: by now another ticket may be open in it.
    """
    is_note = message.sender == Sender.NOTE
    written = _("Заметка уже сохранена.") if is_note else _("Ответ уже принят и второй раз не уйдёт.")
    lost = _("Обращение №%(n)s больше не у вас.") % {"n": ticket.pk}
    said = f"{written} {lost}"
    if request.htmx:
        return render(request, "tickets/_lost.html", {"said": said})
    messages.success(request, said)
    return redirect("tickets:queue")


def refused(request: DeskRequest, ticket: Ticket, refusal: Refused, message_id: int | None = None) -> HttpResponse:
    """A refusal in words, above the composer, with everything typed still in the field it was typed in."""
    page = TicketPage(ticket, request.user, refusal=refusal, **_typed(request, message_id))
    if not request.htmx:
        return ticket_answer(request, page, status=refusal.status)
    with timezone.override(page.zone):
        context = {
            "page": page,
            "refusal": refusal,
            **new_lines(request, page),
            "fresh_client_id": isinstance(refusal, AnotherText),
        }
        answer = render(request, "tickets/_refused.html", context, status=refusal.status)
    return reswap(retarget(answer, "#guard"), "innerHTML")


def _typed(request: DeskRequest, message_id: int | None) -> dict[str, Any]:
    """What was typed, for its own field: the composer, or the one that changes a message. Else the draft stays."""
    if "client_id" in request.POST:
        return {"submitted": {**request.POST.dict(), "had_files": bool(request.FILES)}}
    if message_id is not None and "text" in request.POST:
        return {"editing_id": message_id, "retyped": request.POST["text"]}
    return {}


def wants_fragment(request: DeskRequest) -> bool:
    """Whether htmx asks for a part of the page. Going back in history asks for the whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request and request.htmx.request_type != "full"


def view_of(request: DeskRequest) -> View:
    """The queue's view this page stands in; the person's own tickets unless the address says another."""
    wished = request.GET.get("view", "")
    return View(wished) if wished in View.values else View.MINE
