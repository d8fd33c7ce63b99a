"""The queue's page and the button that hands out work."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, push_url

from tickets import operations
from tickets.forms import NextForm
from tickets.pages.queue import Cursor, read_queue
from tickets.views.answers import DeskRequest, view_of, wants_fragment


@require_safe
def queue(request: DeskRequest) -> HttpResponse:
    """One view of the queue; `after` continues it, `v` is the fingerprint the browser already shows."""
    view = view_of(request)
    cursor = Cursor.parse(request.GET.get("after", ""))
    is_fragment = wants_fragment(request)
    current_id = _open_ticket(request) if is_fragment else None
    found = read_queue(request.user, view=view, cursor=cursor, current_id=current_id, with_counts=cursor is None)
    context = {"queue": found, "view": view}
    if not is_fragment:
        return render(request, "tickets/queue.html", context)
    if cursor is not None:
        return render(request, "tickets/_more_rows.html", context)
    if request.GET.get("v") == found.fingerprint:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    answer = render(request, "tickets/_queue.html", context)
    page = reverse("tickets:ticket", args=[current_id]) if current_id else reverse("tickets:queue")
    return push_url(answer, f"{page}?view={view}" if "v" not in request.GET else False)


def _open_ticket(request: DeskRequest) -> int | None:
    """The ticket that stands beside the queue in the browser, as its address says."""
    path = (request.htmx.current_url_abs_path or "").partition("?")[0]
    try:
        ticket_id = resolve(path).kwargs.get("ticket_id")
    except Resolver404:
        return None
    return int(ticket_id) if ticket_id is not None else None


@require_POST
def take_next(request: DeskRequest) -> HttpResponse:
    form = NextForm(request.POST)
    client_id = form.cleaned_data["client_id"] if form.is_valid() else None
    ticket = operations.take_next(actor=request.user, client_id=client_id)
    if ticket is None:
        messages.info(request, _("Свободных обращений сейчас нет."))
    target = reverse("tickets:ticket", args=[ticket.pk]) if ticket is not None else reverse("tickets:queue")
    return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
