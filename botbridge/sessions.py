"""Where a customer's chat with the bot stands, for programs beside the bot."""

from collections.abc import Sequence
from typing import TypedDict

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from botbridge.models import ChatSession
from tickets import access
from tickets.access import Program
from tickets.models import Customer, Ticket, User
from tickets.operations import Invalid, NotAllowed, NotVisible, WrongState

#: How many albums a chat may have whose later parts may still come.
ALBUMS_REMEMBERED = 3


class PendingAlbum(TypedDict):
    """An album whose later parts may still come, and the ticket they belong to."""

    media_group_id: str
    ticket: int


def session_of(user: User | Program, telegram_user_id: int) -> ChatSession:
    """The chat of a customer this person or program sees.

    :raises NotVisible: there is no such customer for them, or no chat yet.
    """
    customer = _customer(user, telegram_user_id)
    session = ChatSession.objects.filter(customer=customer).order_by("-pk").first()
    if session is None:
        raise NotVisible(_("С этим клиентом бот ещё не разговаривал."))
    return session


@transaction.atomic
def set_pending_media(
    *, actor: User | Program, telegram_user_id: int, pending_media: Sequence[PendingAlbum]
) -> ChatSession:
    """Say which albums are still on their way and where their parts go; the chat is made where it is missing.

    :raises NotVisible: there is no such customer.
    :raises NotAllowed: the actor is no supervisor, nor a program with this right.
    :raises Invalid: a ticket is not this customer's.
    :raises WrongState: no bot is set up whose chat it could be.
    """
    customer = _customer(actor, telegram_user_id)
    if not access.may_set_pending_media(actor):
        raise NotAllowed
    wanted = {album["ticket"] for album in pending_media}
    if Ticket.objects.filter(pk__in=wanted, customer=customer).count() != len(wanted):
        raise Invalid("pendingMedia", _("Такого обращения у этого клиента нет."))
    session = _locked_session(customer, telegram_user_id)
    session.pending_media = list(pending_media)
    session.save(update_fields=["pending_media"])
    return session


def _customer(user: User | Program, telegram_user_id: int) -> Customer:
    visible = Customer.objects.filter(access.visible_customers(user))
    customer = visible.filter(telegram_user_id=telegram_user_id).first()
    if customer is None:
        raise NotVisible(_("Такого клиента нет."))
    return customer


def _locked_session(customer: Customer, chat_id: int) -> ChatSession:
    """The chat's row, locked as inbox and outbox lock it. In a private chat its id is the customer's own."""
    rows = ChatSession.objects.filter(customer=customer).order_by("-pk")
    session = rows.select_for_update(of=("self",)).first()
    if session is not None:
        return session
    bot_id, _colon, _secret = settings.TELEGRAM_BOT_TOKEN.partition(":")
    if not bot_id.isdigit():
        raise WrongState(_("Бот не настроен: задайте TELEGRAM_BOT_TOKEN."))
    session, _created = ChatSession.objects.get_or_create(
        bot_id=int(bot_id), chat_id=chat_id, defaults={"customer": customer}
    )
    return session
