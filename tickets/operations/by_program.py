"""What customers write in other programs than Telegram, handed over by a service account."""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets import access
from tickets.access import Program
from tickets.cards import masked, numbers_in
from tickets.models import Customer, Message, Scope, Ticket
from tickets.operations.acts import lock_ticket
from tickets.operations.by_hand import topic_in_use
from tickets.operations.cards import keep_cards
from tickets.operations.errors import Invalid, NotAllowed, NotVisible
from tickets.operations.incoming import Incoming, receive
from tickets.operations.uploads import Upload, check_uploads, stored


@transaction.atomic
def open_by_program(*, program: Program, text: str, subject: str = "", topic_id: int | None = None) -> Ticket:
    """Open a ticket of the named customer's; one the bot has not met yet is made, still without a name.

    :raises NotAllowed: the account was revoked, or has no right to.
    :raises Invalid: there is no such topic in use, or no words.
    """
    _refuse_without(program, Scope.TICKETS_WRITE)
    topic = topic_in_use(topic_id)
    if not text.strip():
        raise Invalid("text", _("Напишите текст."))
    customer, _created = Customer.objects.get_or_create(telegram_user_id=program.telegram_user_id)
    incoming = Incoming(
        text=text.strip(), subject=subject.strip(), sent_at=timezone.now(), service_account=program.account
    )
    return receive(customer=customer, incoming=incoming, topic=topic).ticket


def write_by_program(
    *, program: Program, ticket_id: int, text: str, quote_id: int | None = None, uploads: Sequence[Upload] = ()
) -> Message:
    """Add what the named customer wrote, with its files, to one of their tickets.

    :raises NotVisible: the ticket is not theirs.
    :raises NotAllowed: the account was revoked, or has no right to.
    :raises Invalid: neither words nor files, a file that cannot be taken, or a quote the customer does not see.
    """
    check_uploads(uploads)
    if not text.strip() and not uploads:
        raise Invalid("text", _("Напишите текст или приложите файл."))
    numbers = numbers_in(*(upload.name for upload in uploads))
    hidden = [replace(upload, name=masked(upload.name)) for upload in uploads]
    with stored(hidden) as files, transaction.atomic():
        ticket = lock_ticket(ticket_id)
        if not access.can_see(program, ticket):
            raise NotVisible
        _refuse_without(program, Scope.MESSAGES_WRITE)
        incoming = Incoming(
            text=text.strip(),
            content_type=files.content_type,
            quote=_quoted(program, ticket, quote_id),
            sent_at=timezone.now(),
            service_account=program.account,
        )
        message = receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        files.attach_to(message)
        keep_cards(message, numbers)
        return message


def _refuse_without(program: Program, scope: Scope) -> None:
    """:raises NotAllowed: the account has not, or no longer, this right."""
    if not access.program_may(program, scope):
        raise NotAllowed(_("У программы нет на это права."))


def _quoted(program: Program, ticket: Ticket, quote_id: int | None) -> Message | None:
    if quote_id is None:
        return None
    quote = ticket.messages.filter(access.visible_messages(program), pk=quote_id).first()
    if quote is None:
        raise Invalid("quote", _("Такого сообщения в этом обращении нет."))
    return quote
