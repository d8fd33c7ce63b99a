"""What the bot may be waiting for. Whatever it is, a text that comes instead is a message like any other."""

from aiogram.fsm.state import State, StatesGroup

#: In the conversation's data: the topic chosen before the question was written.
TOPIC = "topic"


class Question(StatesGroup):
    #: The next message opens a ticket of its own.
    new = State()
