"""The customer stops the bot, or lets it in again."""

from datetime import datetime

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import ChatMemberUpdated

from botbridge.threads import in_transaction
from tickets import operations
from tickets.models import Customer


def router() -> Router:
    router = Router(name="membership")
    router.my_chat_member.register(changed, F.chat.type == ChatType.PRIVATE)
    return router


async def changed(event: ChatMemberUpdated) -> None:
    stopped = event.new_chat_member.status == ChatMemberStatus.KICKED
    await in_transaction(take_note, event.from_user.id, stopped=stopped, at=event.date)


def take_note(telegram_user_id: int, *, stopped: bool, at: datetime) -> None:
    """A person who has never written is nobody's customer yet."""
    customer = Customer.objects.filter(telegram_user_id=telegram_user_id).first()
    if customer is None:
        return
    if stopped:
        operations.customer_stopped_bot(customer=customer, at=at)
    else:
        operations.customer_returned(customer=customer, at=at)
