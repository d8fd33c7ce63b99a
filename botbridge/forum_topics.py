"""A topic of its own for each ticket, in the private chat of a customer with a bot in threaded mode (Bot API 9.4).

A topic is a hint where things belong, the ticket is the truth: whatever becomes of a topic, a message still goes, into
the main chat with its ticket's number above it. Where a supervisor has not asked for topics, or the bot has no Threaded
Mode, nothing here does anything but route what customers write in topics that are known.
"""

from dataclasses import dataclass
from typing import Any

from django.utils import translation

from botbridge import calls, conversation
from botbridge.models import AnswerPlace, BotStatus, ChatSession, ForumTopic, OutboundCall
from tickets.models import Message, Ticket

State = ForumTopic.State


@dataclass(frozen=True)
class Place:
    """Where in a chat a message goes; without a `message_thread_id` into the main chat.

    `is_tickets_own`: a topic that says by itself which ticket it is. `is_elsewhere`: the message's ticket has no topic
    though others have, so that the message itself must say which ticket it is about.
    """

    message_thread_id: int | None = None
    is_tickets_own: bool = False
    is_elsewhere: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        """The place as a parameter of every send method."""
        return {"message_thread_id": self.message_thread_id} if self.message_thread_id is not None else {}


FLAT = Place()


def are_given_by(bot_id: int) -> bool:
    status = BotStatus.objects.filter(pk=bot_id).first()
    return status is not None and status.gives_forum_topics


# What goes out.


def place_of(message: Message, session: ChatSession) -> Place | None:
    """Where a message goes; None where its ticket's topic has to be made first."""
    if not are_given_by(session.bot_id):
        return FLAT
    answer = AnswerPlace.objects.filter(message=message).first()
    if answer is not None:
        return Place(answer.message_thread_id)
    ticket = message.ticket
    if ticket is None:
        return FLAT
    topic = of_ticket(ticket, session.bot_id)
    if topic is not None and topic.state == State.OPEN:
        return Place(topic.message_thread_id, is_tickets_own=True)
    if ticket.is_active and (topic is None or topic.state == State.WANTED):
        return None
    return Place(is_elsewhere=True)


def topic_of(ticket: Ticket | None, bot_id: int) -> Place:
    """A ticket's topic where it has one already, else the main chat."""
    topic = of_ticket(ticket, bot_id) if ticket is not None and are_given_by(bot_id) else None
    return Place(topic.message_thread_id) if topic is not None and topic.state == State.OPEN else FLAT


def of_ticket(ticket: Ticket, bot_id: int) -> ForumTopic | None:
    return ForumTopic.objects.filter(ticket=ticket, bot_id=bot_id).first()


def answer_here(message: Message, thread_id: int | None) -> None:
    """Have a sentence of the bot's said where the customer was, whatever ticket it belongs to."""
    AnswerPlace.objects.create(message=message, message_thread_id=thread_id)


# What comes in.


def topic_in(chat: ChatSession | OutboundCall, thread_id: int | None) -> ForumTopic | None:
    rows = ForumTopic.objects.filter(bot_id=chat.bot_id, chat_id=chat.chat_id, message_thread_id=thread_id)
    return rows.select_related("ticket").first() if thread_id is not None else None


def bind(session: ChatSession, thread_id: int, ticket: Ticket) -> None:
    """Let a topic the customer has written in be this ticket's, unless one of the two has its own.

    From a ticket that is over the topic passes on to the one that follows it up.
    """
    former = topic_in(session, thread_id)
    if former is not None and former.ticket_id != ticket.follows_up_id:
        return
    own = of_ticket(ticket, session.bot_id)
    if own is not None and own.state in (State.OPEN, State.MAKING):
        return
    name = ""
    if former is not None:
        name, former.message_thread_id, former.state = former.name, None, State.GIVEN_UP
        former.save()
    topic, _created = ForumTopic.objects.update_or_create(
        ticket=ticket,
        bot_id=session.bot_id,
        defaults={"chat_id": session.chat_id, "message_thread_id": thread_id, "state": State.OPEN, "name": name},
    )
    rename(topic)


# Names.


def name_for(ticket: Ticket) -> str:
    with translation.override(ticket.customer.language):
        return conversation.forum_topic_name(ticket)


def rename(topic: ForumTopic) -> None:
    """Ask for the name that suits the ticket, where the bot gave the topic another."""
    name = name_for(topic.ticket)
    if topic.name != name:
        calls.rename_forum_topic(topic, name)
