"""What the bridge takes over from an earlier bot: how to ask for its files, and which ticket a chat is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from botbridge.models import ChatSession, TelegramFile
from tickets.models import Attachment, Customer, Language, Ticket


@dataclass(frozen=True, kw_only=True)
class PastSession:
    """Where a chat of the earlier bot stood: the earlier number of its ticket, and its language."""

    telegram_user_id: int
    imported_ticket: int | None = None
    language: str = ""


def own_bot_id() -> int | None:
    """The bot this installation speaks as; None where none is set up."""
    bot_id, _colon, _secret = settings.TELEGRAM_BOT_TOKEN.partition(":")
    return int(bot_id) if bot_id.isdigit() else None


def remember_file_ids(files: Sequence[tuple[Attachment, str]], *, bot_id: int) -> None:
    """By which ids the jobs ask Telegram for these files. Where another bot got them, Telegram refuses, and the desk
    says that the file is gone.
    """
    TelegramFile.objects.bulk_create(
        TelegramFile(bot_id=bot_id, attachment=attachment, file_id=file_id) for attachment, file_id in files
    )


@transaction.atomic
def import_sessions(past: Sequence[PastSession], *, bot_id: int) -> list[PastSession]:
    """Let each customer go on with the ticket they were at. Chats that this bot knows already stay as they are.

    Returns those of whom no ticket was imported: nobody knows them here.
    """
    by_id = {session.telegram_user_id: session for session in past}
    customers = {c.telegram_user_id: c for c in Customer.objects.filter(telegram_user_id__in=by_id)}
    known = set(ChatSession.objects.filter(bot_id=bot_id, chat_id__in=by_id).values_list("chat_id", flat=True))
    wanted = [session.imported_ticket for session in past if session.imported_ticket is not None]
    tickets = {ticket.imported_id: ticket for ticket in Ticket.objects.active().filter(imported_id__in=wanted)}
    for telegram_id, customer in customers.items():
        if telegram_id is None or telegram_id in known:
            continue
        session = by_id[telegram_id]
        ticket = tickets.get(session.imported_ticket)
        is_own = ticket is not None and ticket.customer_id == customer.pk
        ChatSession.objects.create(
            bot_id=bot_id, chat_id=telegram_id, customer=customer, current_ticket=ticket if is_own else None
        )
        if session.language in Language.values:
            customer.language = session.language
            customer.save(update_fields=["language"])
    return [session for session in past if session.telegram_user_id not in customers]
