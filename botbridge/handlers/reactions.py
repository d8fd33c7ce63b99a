"""What a customer puts under a message instead of writing: a reaction, changed or taken away.

Telegram sends them from private chats to a bot that asks for `message_reaction`; the bot's own are not among them
(Bot API, "Update").
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import MessageReactionUpdated, ReactionTypeEmoji
from aiogram.types.reaction_type_union import ReactionTypeUnion

from botbridge.models import ChatSession, TelegramMessage
from botbridge.threads import in_transaction
from tickets import operations


def router() -> Router:
    router = Router(name="reactions")
    router.message_reaction.register(reacted, F.chat.type == ChatType.PRIVATE)
    return router


async def reacted(event: MessageReactionUpdated, session: ChatSession) -> None:
    former, reactions = _names(event.old_reaction), _names(event.new_reaction)
    await in_transaction(take_note, session, event.message_id, former, reactions, event.date)


def _names(reactions: Iterable[ReactionTypeUnion]) -> list[str]:
    return [item.emoji if isinstance(item, ReactionTypeEmoji) else str(item.type) for item in reactions]


def take_note(
    session: ChatSession, telegram_id: int, former: list[str], reactions: list[str], reacted_at: datetime
) -> None:
    """One under a message the desk does not have, a command or one older than the bot, says nothing to anybody.

    Nor does one that comes after a later one, as from an update tried again.
    """
    of_chat = TelegramMessage.objects.filter(bot_id=session.bot_id, chat_id=session.chat_id)
    known = of_chat.filter(telegram_id=telegram_id).select_related("message").first()
    if known is None or (known.reacted_at is not None and reacted_at < known.reacted_at):
        return
    known.reacted_at = reacted_at
    known.save(update_fields=["reacted_at"])
    if of_chat.filter(message=known.message).exclude(pk=known.pk).exists():
        # Those under the other pieces of the text, or files of the album, still stand.
        left = Counter(known.message.reactions.split()) - Counter(former)
        reactions = [*left.elements(), *reactions]
    operations.take_reactions(message=known.message, reactions=reactions)
