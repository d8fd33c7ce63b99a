"""What the bot answers to. Handlers are thin: translate, one call into the chat, nothing over the network."""

from aiogram import Dispatcher
from aiogram.fsm.strategy import FSMStrategy

from botbridge.handlers import commands, groups, membership, messages, presses, reactions
from botbridge.handlers.middleware import open_chat
from botbridge.storage import ChatSessionStorage


def build_dispatcher() -> Dispatcher:
    """The routers in the order they are asked; the last takes whatever nobody else wanted."""
    dispatcher = Dispatcher(storage=ChatSessionStorage(), fsm_strategy=FSMStrategy.CHAT)
    for observer in (dispatcher.message, dispatcher.edited_message, dispatcher.callback_query):
        observer.outer_middleware(open_chat)
    dispatcher.include_routers(
        groups.router(),
        membership.router(),
        reactions.router(),
        presses.router(),
        commands.router(),
        messages.router(),
    )
    return dispatcher
