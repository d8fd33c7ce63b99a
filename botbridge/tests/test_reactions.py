"""Reactions: the customer's on the desk, ours in the customer's chat."""

from collections.abc import Callable
from typing import Any

import pytest

from botbridge.client import make_bot
from botbridge.models import OutboundCall, TelegramMessage, Update
from botbridge.polling import ALLOWED_UPDATES
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient, SandboxRefusal
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import settle
from botbridge.tests.conftest import BOT_ID, TOKEN, Line, Phone, ask, claim_now, parked
from tickets import operations
from tickets.models import AlterationState, Change, Customer, DeliveryState, Event, Message, Status, Ticket, User
from tickets.operations import Invalid, NotAllowed, WrongState

pytestmark = pytest.mark.django_db

EMOJI = {"type": "emoji", "emoji": "👍"}


def reaction(phone: Phone, message_id: int, *new: dict[str, Any], date: int = 1) -> dict[str, Any]:
    change = {"chat": phone.chat, "message_id": message_id, "user": phone.user, "date": date, "old_reaction": []}
    return {"message_reaction": {**change, "new_reaction": list(new)}}


def test_telegram_is_asked_for_reactions() -> None:
    assert "message_reaction" in ALLOWED_UPDATES


def test_a_customers_reaction_stands_under_the_message_and_changes_nothing_else(line: Line, phone: Phone) -> None:
    message_id = phone.write("Вопрос")
    (ticket,) = phone.tickets
    ticket.status = Status.WAITING
    ticket.save()
    message = ticket.messages.get(text="Вопрос")
    line.take(reaction(phone, message_id, EMOJI, {"type": "custom_emoji", "custom_emoji_id": "5"}))
    message.refresh_from_db()
    assert message.reactions == "👍 custom_emoji"
    line.take(reaction(phone, message_id, {"type": "paid"}))
    message.refresh_from_db()
    assert message.reactions == "paid"
    line.take(reaction(phone, message_id))
    message.refresh_from_db()
    assert message.reactions == ""
    ticket.refresh_from_db()
    assert ticket.status == Status.WAITING
    assert ticket.events.filter(kind=Event.Kind.REACTION).count() == 3
    assert Change.objects.filter(kind=Change.Kind.MESSAGE_STATE, message=message).count() == 3
    assert ticket.messages.filter(sender="client").count() == 1


def test_under_a_reply_in_several_messages_each_ones_reactions_stand(
    line: Line, phone: Phone, ticket: Ticket, timur: Customer, answer: Callable[..., Message], aigerim: User
) -> None:
    phone.id = timur.telegram_user_id or 0
    reply = answer(ticket, aigerim, "Пункт договора. " * 400)
    for part in range(2):
        TelegramMessage.objects.create(bot_id=BOT_ID, chat_id=phone.id, telegram_id=70 + part, message=reply, part=part)
    heart = {"type": "emoji", "emoji": "❤"}
    told = []
    for message_id, old, new in ((70, [], [EMOJI]), (71, [], [heart]), (71, [heart], [EMOJI]), (70, [EMOJI], [])):
        change = reaction(phone, message_id, *new)
        change["message_reaction"]["old_reaction"] = old
        line.take(change)
        reply.refresh_from_db()
        told.append(reply.reactions)
    assert told == ["👍", "👍 ❤", "👍 👍", "👍"]


def test_a_reaction_that_comes_after_a_later_one_says_nothing(line: Line, phone: Phone) -> None:
    message_id = phone.write("Вопрос")
    line.take(reaction(phone, message_id, EMOJI, date=20))
    line.take(reaction(phone, message_id, {"type": "emoji", "emoji": "❤"}, date=10))
    assert Message.objects.get(text="Вопрос").reactions == "👍"
    line.take(reaction(phone, message_id, date=20))
    assert Message.objects.get(text="Вопрос").reactions == ""


def test_a_reaction_to_what_the_desk_does_not_have_is_handled_and_makes_nobody_a_customer(
    line: Line, phone: Phone
) -> None:
    line.take(reaction(phone, 4711, EMOJI))
    assert Update.objects.get().state == Update.State.HANDLED
    assert not parked()
    assert not Customer.objects.exists()


@pytest.fixture
def timur(timurs_telegram: CustomerClient) -> Customer:
    return Customer.objects.create(telegram_user_id=timurs_telegram.id, name="Тимур Ахметов")


@pytest.fixture
def question(ticket: Ticket, timurs_telegram: CustomerClient) -> Message:
    """The ticket's first message, as it stands in Timur's Telegram."""
    written = timurs_telegram.write("Не включается ноутбук.")
    message = ticket.messages.get(sender="client")
    TelegramMessage.objects.create(
        bot_id=BOT_ID, chat_id=timurs_telegram.id, telegram_id=written["message_id"], message=message
    )
    return message


def standing(telegram: CustomerClient) -> str | None:
    found: str | None = telegram.messages()[-1]["reaction"]
    return found


def carry_out(sandbox: SandboxServer) -> Outcome:
    claimed = claim_now()
    outcome = ask(claimed, make_bot(TOKEN, sandbox.base_url))
    settle(claimed.call, outcome)
    return outcome


def test_a_managers_reaction_stands_in_the_customers_chat_and_goes_again(
    sandbox: SandboxServer, aigerim: User, question: Message, timurs_telegram: CustomerClient
) -> None:
    for emoji in ("👍", "🤝", ""):
        operations.react(message_id=question.pk, actor=aigerim, emoji=emoji)
        operations.react(message_id=question.pk, actor=aigerim, emoji=emoji)  # twice is once
        carry_out(sandbox)
        assert standing(timurs_telegram) == (emoji or None)
    assert question.alterations.count() == 3
    assert OutboundCall.objects.filter(method="setMessageReaction").count() == 3


@pytest.mark.parametrize("emoji", operations.REACTIONS)
def test_every_reaction_offered_is_one_telegram_takes(
    sandbox: SandboxServer, aigerim: User, question: Message, emoji: str
) -> None:
    operations.react(message_id=question.pk, actor=aigerim, emoji=emoji)
    assert carry_out(sandbox).state == DeliveryState.SENT


def test_a_reaction_to_a_message_the_customer_deleted_says_so(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, question: Message, timurs_telegram: CustomerClient
) -> None:
    known = TelegramMessage.objects.get(message=question)
    sandbox.call("deleteMessage", chat_id=timurs_telegram.id, message_id=known.telegram_id)
    operations.react(message_id=question.pk, actor=aigerim, emoji="👍")
    carry_out(sandbox)
    alteration = question.alterations.get()
    assert (alteration.state, alteration.obstacle) == (AlterationState.FAILED, "gone")
    question.refresh_from_db()
    assert operations.wanted_reaction(question) == ""
    ticket.refresh_from_db()
    assert ticket.trouble == 0


def test_what_cannot_be_reacted_to_is_refused(
    ticket: Ticket, timur: Customer, aigerim: User, bolat: User, saule: User, question: Message
) -> None:
    with pytest.raises(Invalid):
        operations.react(message_id=question.pk, actor=aigerim, emoji="✅")
    with pytest.raises(NotAllowed):
        operations.react(message_id=question.pk, actor=bolat, emoji="👍")
    by_hand = operations.enter_by_hand(ticket_id=ticket.pk, actor=saule, text="Звонил")
    with pytest.raises(WrongState):
        operations.react(message_id=by_hand.pk, actor=saule, emoji="👍")
    operations.customer_stopped_bot(customer=timur)
    with pytest.raises(WrongState):
        operations.react(message_id=question.pk, actor=aigerim, emoji="👍")


def test_a_customer_in_the_sandbox_reacts_as_in_telegram(
    sandbox: SandboxServer, timurs_telegram: CustomerClient
) -> None:
    sandbox.call("getUpdates", allowed_updates=ALLOWED_UPDATES)
    message = timurs_telegram.write("Вопрос")
    timurs_telegram.react(message["message_id"], "🔥")
    change = sandbox.updates()[-1]["update"]["message_reaction"]
    assert (change["message_id"], change["old_reaction"]) == (message["message_id"], [])
    assert change["new_reaction"] == [{"type": "emoji", "emoji": "🔥"}]
    timurs_telegram.react(message["message_id"], "")
    change = sandbox.updates()[-1]["update"]["message_reaction"]
    assert (change["old_reaction"], change["new_reaction"]) == ([{"type": "emoji", "emoji": "🔥"}], [])
    with pytest.raises(SandboxRefusal):
        timurs_telegram.react(message["message_id"], "✅")
