"""What the outbox asks of Telegram about topics, and what it makes of the answers: making one before a ticket's first
message, noticing that one is gone, renaming.
"""

import asyncio
import logging

from django.db import Error, transaction
from django.utils import timezone

from botbridge import calls, forum_topics
from botbridge.models import AnswerPlace, BotStatus, ChatSession, ForumTopic, OutboundCall
from botbridge.requests import Outcome
from botbridge.threads import in_thread
from tickets.models import Delivery, DeliveryState, Event, Message
from tickets.operations import UNDO_WINDOW

logger = logging.getLogger(__name__)

State = ForumTopic.State

#: What Telegram says of a topic that is not there (any more).
GONE = ("message thread not found", "topic_id_invalid", "topic_deleted")
#: What it says where there can be none: Threaded Mode is off.
NO_TOPICS = ("not a forum", "forum_create_forbidden")
NOT_MODIFIED = "topic_not_modified"

#: What changes a topic's name, and how often to look for it.
RENAMING = (Event.Kind.RESOLVED, Event.Kind.UNDONE, Event.Kind.REOPENED, Event.Kind.CLOSED, Event.Kind.TOPIC)
NAMED_EVERY = 2.0
EVENTS_AT_ONCE = 200


def creation_before(delivery: Delivery, message: Message, session: ChatSession) -> OutboundCall:
    """The call that makes the topic of the message's ticket, to be begun now; the delivery waits for it in `sending`,
    and so does the chat.
    """
    ticket = message.ticket
    assert ticket is not None  # forum_topics.place_of
    topic, _created = ForumTopic.objects.select_related("creation").get_or_create(
        ticket=ticket, bot_id=session.bot_id, defaults={"chat_id": session.chat_id}
    )
    call = topic.creation or OutboundCall(method=calls.CREATE_FORUM_TOPIC)
    call.bot_id, call.chat_id, call.lane = session.bot_id, session.chat_id, delivery.lane
    call.payload = {"chat_id": session.chat_id, "name": forum_topics.name_for(ticket)}
    call.save()
    topic.chat_id, topic.creation, topic.waiting, topic.state = session.chat_id, call, delivery, State.MAKING
    topic.save()
    return call


def settle_creation(call: OutboundCall, outcome: Outcome) -> Delivery | None:
    """Write down what became of a creation. Returns the delivery that waits for it, if one still does.

    createForumTopic is not idempotent. Where nobody knows whether the topic is there, no second one is made beside it:
    the ticket's messages go without a topic, until the first shows itself, by a late answer or by the customer writing
    in it (`forum_topics.bind`).
    """
    topic = ForumTopic.objects.select_related("waiting").filter(creation=call).first()
    if topic is None:
        return None
    waiting, topic.waiting = topic.waiting, None
    if topic.message_thread_id is None:
        topic.state = _state_after(outcome)
        if topic.state == State.OPEN and forum_topics.topic_in(call, outcome.message_thread_id) is None:
            topic.message_thread_id, topic.name = outcome.message_thread_id, call.payload["name"]
        elif topic.state == State.OPEN:
            topic.state = State.GIVEN_UP  # it came to light as another ticket's before this answer did
    topic.save()
    if topic.state == State.OPEN:
        forum_topics.rename(topic)  # where the ticket has been solved meanwhile
    if outcome.state == DeliveryState.FAILED and _says(outcome, NO_TOPICS):
        # Until getMe says otherwise: each further message would ask for the same.
        BotStatus.objects.filter(pk=call.bot_id).update(has_topics_enabled=False)
    return waiting


def _state_after(outcome: Outcome) -> ForumTopic.State:
    match outcome.state:
        case DeliveryState.SENT:
            return State.OPEN if outcome.message_thread_id is not None else State.GIVEN_UP
        case DeliveryState.QUEUED | DeliveryState.HELD:
            return State.WANTED
        case DeliveryState.FAILED if _says(outcome, NO_TOPICS):
            return State.WANTED
    return State.GIVEN_UP


def after_send(call: OutboundCall, outcome: Outcome) -> Outcome:
    """What a send tells of the topic it was meant for.

    One whose topic is gone was refused whole, so it goes again by itself, to where the message belongs then. One that
    fell into the main chat has arrived (https://github.com/tdlib/telegram-bot-api/issues/854); so may one that quotes
    a message there.
    """
    thread_id = call.payload.get("message_thread_id")
    if thread_id is None:
        return outcome
    if outcome.state == DeliveryState.FAILED and _says(outcome, GONE):
        _lose(call, thread_id)
        return Outcome(DeliveryState.QUEUED, outcome.error)
    fell_out = outcome.state == DeliveryState.SENT and outcome.message_thread_id != thread_id
    if fell_out and "reply_parameters" not in call.payload:
        logger.warning("A message for topic %s fell into the main chat", thread_id)
        _lose(call, thread_id)
    return outcome


def _lose(call: OutboundCall, thread_id: int) -> None:
    """A topic is gone. It is made anew once; a customer who deletes that one too does not want it."""
    AnswerPlace.objects.filter(pk=call.delivery_id, message_thread_id=thread_id).update(message_thread_id=None)
    topic = forum_topics.topic_in(call, thread_id)
    if topic is not None:
        topic.state = State.GIVEN_UP if topic.remade else State.WANTED
        topic.message_thread_id, topic.creation, topic.remade = None, None, True
        topic.save()


def _says(outcome: Outcome, words: tuple[str, ...]) -> bool:
    return any(phrase in outcome.error.lower() for phrase in words)


def settle_renaming(call: OutboundCall) -> None:
    """Keep the name a topic has got.

    A ticket may have changed since it was asked for, and two renamings may overtake each other; each looks again when
    it is through, so that the last name is the one that suits.
    """
    topic = forum_topics.topic_in(call, call.payload["message_thread_id"])
    if topic is None:
        return
    said = call.error.lower()
    if call.state == DeliveryState.SENT or NOT_MODIFIED in said:
        topic.name = call.payload["name"]
        topic.save(update_fields=["name"])
        forum_topics.rename(topic)
    elif any(phrase in said for phrase in GONE):
        _lose(call, call.payload["message_thread_id"])


def rename_changed(bot_id: int) -> None:
    """Rename the topics of tickets solved, reopened or sorted since the last look, once that cannot be undone any more.

    Whatever changes a ticket writes an event (a manager, the customer, a clock, a program), so events are what is
    watched. A second process at the same time asks for the same names, which does no harm.
    """
    status = BotStatus.objects.filter(pk=bot_id).first()
    if status is None or not status.gives_forum_topics:
        return
    settled = Event.objects.settled_up_to(Event.objects.last_given_id())
    if status.forum_topics_named_to is None:
        BotStatus.objects.filter(pk=bot_id).update(forum_topics_named_to=settled)
        return
    new = Event.objects.filter(pk__gt=status.forum_topics_named_to, pk__lte=settled, kind__in=RENAMING).order_by("pk")
    events = list(new[:EVENTS_AT_ONCE])
    final = [event for event in events if event.created_at <= timezone.now() - UNDO_WINDOW]
    if len(final) < len(events):
        settled = events[len(final)].pk - 1
    elif len(events) == EVENTS_AT_ONCE:
        settled = events[-1].pk
    if settled <= status.forum_topics_named_to:
        return
    tickets = {event.ticket_id for event in final if event.pk <= settled}
    topics = ForumTopic.objects.filter(bot_id=bot_id, ticket__in=tickets, state=State.OPEN)
    with transaction.atomic():
        for topic in topics.select_related("ticket__customer", "ticket__topic"):
            forum_topics.rename(topic)
        BotStatus.objects.filter(pk=bot_id).update(forum_topics_named_to=settled)


async def keep_names(bot_id: int) -> None:
    """Look for topics to rename, for ever."""
    while True:
        try:
            await in_thread(rename_changed, bot_id)
        except Error as error:
            logger.warning("Topics: the database does not answer (%s)", type(error).__name__)
        await asyncio.sleep(NAMED_EVERY)
