"""Files of a conversation. Only those who see the ticket get them."""

from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from tickets import operations
from tickets.models import Ticket
from tickets.serving import find_attachment, serve_file, serve_thumbnail
from tickets.views.answers import DeskRequest, act_on_ticket, changed, find_ticket


@require_safe
def file(request: DeskRequest, ticket_id: int, attachment_id: int) -> HttpResponseBase:
    return serve_file(request, find_ticket(request, ticket_id), attachment_id)


@require_safe
def thumbnail(request: DeskRequest, ticket_id: int, attachment_id: int) -> HttpResponseBase:
    return serve_thumbnail(request, find_ticket(request, ticket_id), attachment_id)


@act_on_ticket
def retry(request: DeskRequest, ticket: Ticket, attachment_id: int) -> HttpResponse:
    """Ask for a failed file again."""
    attachment = find_attachment(ticket, attachment_id)
    operations.retry_file(attachment_id=attachment_id, actor=request.user)
    return changed(request, ticket, message_id=attachment.message_id)
