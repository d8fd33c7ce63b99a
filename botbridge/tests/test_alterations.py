"""Changes of what Telegram has: carried out in order, asked for again, and never said to be done when they are not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from botbridge.claiming import Claimed, Pause, claim, has_work
from botbridge.client import make_bot
from botbridge.models import BotStatus, ChatSession, OutboundCall, TelegramMessage
from botbridge.requests import Outcome
from botbridge.sandbox.client import CustomerClient
from botbridge.sandbox.thread import SandboxServer
from botbridge.settling import expire_leases, settle
from botbridge.tests.conftest import BOT_ID, TOKEN, WORKER, ask, claim_now, come_due
from conftest import wrote
from tickets import operations
from tickets.models import (
    Alteration,
    AlterationState,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Message,
    Obstacle,
    Status,
    Ticket,
    Trouble,
    User,
)
from tickets.operations import Invalid, NotAllowed, NotVisible, Upload, WrongState

pytestmark = pytest.mark.django_db

Answer = Callable[..., Message]
Turn = Callable[[], Outcome]


@pytest.fixture
def timur(timurs_telegram: CustomerClient) -> Customer:
    """The customer, with Telegram in his hands."""
    return Customer.objects.create(telegram_user_id=timurs_telegram.id, name="Тимур Ахметов")


@pytest.fixture
def turn(sandbox: SandboxServer) -> Turn:
    """One turn of the outbox: claim, ask Telegram, settle."""

    def one() -> Outcome:
        Alteration.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        claimed = claim_now()
        outcome = ask(claimed, make_bot(TOKEN, sandbox.base_url))
        settle(claimed.call, outcome)
        return outcome

    return one


@pytest.fixture
def arrived(ticket: Ticket, aigerim: User, answer: Answer, turn: Turn) -> Callable[..., Message]:
    """A reply that Telegram has: `arrived("text")`."""

    def send(text: str, **options: Any) -> Message:
        message = answer(ticket, aigerim, text, **options)
        while Delivery.objects.get(pk=message.pk).state != DeliveryState.SENT:
            assert turn().state == DeliveryState.SENT
        return Message.objects.get(pk=message.pk)

    return send


def edit(message: Message, actor: User, text: str) -> None:
    operations.edit_reply(message_id=message.pk, actor=actor, text=text)


def delete(message: Message, actor: User) -> None:
    operations.delete_reply(message_id=message.pk, actor=actor)


def last_of(message: Message) -> Alteration:
    return Alteration.objects.filter(message=message).latest("pk")


def texts(telegram: CustomerClient) -> list[str]:
    return [message.get("text", message.get("caption", "")) for message in telegram.received()]


# The ordinary way.


def test_an_edit_changes_the_customers_message_under_the_same_lines(
    ticket: Ticket, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Приезжайте в 18:00.")
    edit(message, aigerim, "Приезжайте в 19:00.")
    message.refresh_from_db()
    assert (message.text, message.edited_at) == ("Приезжайте в 19:00.", None)
    ticket.refresh_from_db()
    assert ticket.last_text == "Приезжайте в 19:00."
    assert texts(timurs_telegram)[-1].endswith("18:00.")
    assert turn().state == DeliveryState.SENT
    received = timurs_telegram.received()[-1]
    assert received["text"] == "Айгерим, поддержка\nПриезжайте в 19:00."
    assert received["entities"] == [{"type": "bold", "offset": 0, "length": len("Айгерим, поддержка")}]
    message.refresh_from_db()
    assert last_of(message).state == AlterationState.DONE
    assert message.edited_at is not None
    assert [revision.text for revision in message.revisions.all()] == ["Приезжайте в 18:00."]
    asked, done = ticket.events.filter(kind__in=[Event.Kind.EDITED, Event.Kind.ALTERED]).order_by("pk")
    assert (asked.actor, done.data["altered"], done.data["state"]) == (aigerim, "edit", "done")


def test_the_lines_above_stay_as_they_were_sent_whatever_the_customer_asks_since(
    aigerim: User, arrived, turn: Turn, timur: Customer, timurs_telegram: CustomerClient
) -> None:
    first = arrived("Раз.")
    second = arrived("Два.")
    wrote(timur, "Другой вопрос")
    aigerim.public_name = "Айка"
    aigerim.save(update_fields=["public_name"])
    for message in (first, second):
        edit(message, aigerim, f"{message.text} Точно.")
        turn()
        edit(Message.objects.get(pk=message.pk), aigerim, f"{message.text} Совсем точно.")
        turn()
    assert texts(timurs_telegram)[-2:] == ["Айгерим, поддержка\nРаз. Совсем точно.", "Два. Совсем точно."]


def test_an_edit_brings_its_own_formatting_and_alone_is_a_change(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    head = len("Айгерим, поддержка\n")
    message = arrived("Приезжайте в 18:00.")
    strong = {"type": "bold", "offset": 13, "length": 5}
    operations.edit_reply(message_id=message.pk, actor=aigerim, text=message.text, entities=[strong])
    turn()
    received = timurs_telegram.received()[-1]
    assert received["text"] == "Айгерим, поддержка\nПриезжайте в 18:00."
    assert received["entities"][1:] == [strong | {"offset": head + 13}]
    message.refresh_from_db()
    assert (message.entities, message.revisions.get().entities) == ([strong], [])


def test_in_a_text_of_several_messages_formatting_changes_in_each(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    text = "\n\n".join(f"{number}" + " яхта" * 600 for number in range(2))
    message = arrived(text)
    second = text.index("1 яхта")
    strong = [{"type": "bold", "offset": offset, "length": 6} for offset in (0, second)]
    operations.edit_reply(message_id=message.pk, actor=aigerim, text=text, entities=strong)
    turn()
    turn()
    assert [received["entities"][-1]["type"] for received in timurs_telegram.received()[-2:]] == ["bold", "bold"]
    assert timurs_telegram.received()[-1]["entities"] == [{"type": "bold", "offset": 0, "length": 6}]
    assert last_of(message).state == AlterationState.DONE


def test_of_files_the_caption_changes_and_may_go(
    ticket: Ticket, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    uploads = [Upload(name=f"{n}.txt", file=SimpleUploadedFile(f"{n}.txt", b"schedule")) for n in (1, 2)]
    message = arrived("Вот файлы", uploads=uploads)
    edit(message, aigerim, "Вот оба файла")
    turn()
    assert texts(timurs_telegram)[-2:] == ["Айгерим, поддержка\nВот оба файла", ""]
    edit(Message.objects.get(pk=message.pk), aigerim, "")
    turn()
    assert texts(timurs_telegram)[-2:] == ["Айгерим, поддержка", ""]
    assert last_of(message).state == AlterationState.DONE


LONG = "Пункт договора. " * 400  # 6,400 characters: two messages


def test_of_a_text_in_pieces_each_piece_changes_and_what_is_left_over_goes(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived(LONG)
    before = len(timurs_telegram.received())
    edit(message, aigerim, LONG.replace("договора", "соглашения")[:6000])
    turn()
    assert last_of(message).state == AlterationState.QUEUED
    turn()
    pieces = texts(timurs_telegram)[-2:]
    assert last_of(message).state == AlterationState.DONE
    assert all("соглашения" in piece and "договора" not in piece for piece in pieces)
    edit(Message.objects.get(pk=message.pk), aigerim, "Всё отменяется.")
    turn()
    turn()
    assert len(timurs_telegram.received()) == before - 1
    assert texts(timurs_telegram)[-1] == "Айгерим, поддержка\nВсё отменяется."
    assert Delivery.objects.get(pk=message.pk).parts_sent == 1


def test_an_edit_that_needs_more_messages_is_refused_and_changes_nothing(aigerim: User, arrived) -> None:
    message = arrived("Коротко.")
    with pytest.raises(Invalid, match="не помещается"):
        edit(message, aigerim, LONG)
    message.refresh_from_db()
    assert (message.text, message.alterations.count()) == ("Коротко.", 0)


def test_a_deletion_takes_every_part_from_the_customer_and_leaves_the_words_on_the_desk(
    ticket: Ticket, timur: Customer, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    before = timurs_telegram.received()
    message = arrived(LONG)
    assert Ticket.objects.get(pk=ticket.pk).waiting_since is None
    delete(message, aigerim)
    delete(message, aigerim)  # twice is once
    assert not Message.objects.filter(deleted_at__isnull=False).exists()
    turn()
    turn()
    assert timurs_telegram.received() == before
    message.refresh_from_db()
    ticket.refresh_from_db()
    assert message.deleted_at is not None
    assert message.text == LONG.strip()
    assert ticket.waiting_since is not None
    assert ticket.status == Status.OPEN
    assert ticket.last_text == "Здравствуйте! Не включается ноутбук."
    kinds = list(ticket.events.filter(data__message=message.pk).values_list("kind", flat=True).order_by("pk"))
    assert kinds.count(Event.Kind.DELETED) == 1
    assert kinds[-1] == Event.Kind.ALTERED


def test_another_answer_still_answers(ticket: Ticket, aigerim: User, arrived, turn: Turn) -> None:
    wrong = arrived("Не туда.")
    arrived("Проверьте зарядку.")
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    delete(wrong, aigerim)
    turn()
    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == (Status.RESOLVED, None)
    assert ticket.last_text == "Проверьте зарядку."


def test_a_solved_question_whose_only_answer_is_deleted_comes_back(
    ticket: Ticket, aigerim: User, arrived, turn: Turn
) -> None:
    message = arrived("Не то.")
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    delete(message, aigerim)
    turn()
    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN


# Order.


def test_of_two_edits_the_last_wins_and_one_not_begun_never_leaves(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    edit(message, aigerim, "Три.")
    turn()
    assert texts(timurs_telegram)[-1].endswith("Три.")
    states = list(message.alterations.order_by("pk").values_list("state", flat=True))
    assert states == [AlterationState.REPLACED, AlterationState.DONE]
    assert OutboundCall.objects.filter(alteration__isnull=False).count() == 1
    assert [revision.text for revision in message.revisions.all()] == ["Раз."]


def test_an_edit_waits_for_the_one_under_way(
    sandbox: SandboxServer, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    first = claim_now()
    edit(message, aigerim, "Три.")
    with pytest.raises(AssertionError):
        claim_now()  # the first is under way
    settle(first.call, ask(first, make_bot(TOKEN, sandbox.base_url)))
    assert texts(timurs_telegram)[-1].endswith("Два.")
    message.refresh_from_db()
    assert message.text == "Три."
    turn()
    assert texts(timurs_telegram)[-1].endswith("Три.")
    assert [revision.text for revision in message.revisions.order_by("pk")] == ["Раз.", "Два."]


def test_what_an_edit_leaves_behind_looks_as_the_customer_saw_it(
    sandbox: SandboxServer, aigerim: User, arrived, turn: Turn
) -> None:
    message = arrived("Раз, два.", entities=[{"type": "bold", "offset": 5, "length": 3}])
    edit(message, aigerim, "Три.")
    first = claim_now()
    edit(message, aigerim, "Четыре.")
    settle(first.call, ask(first, make_bot(TOKEN, sandbox.base_url)))
    settle(claim_now().call, Outcome(DeliveryState.FAILED, "Bad Request: message can't be edited", "refused"))
    message.refresh_from_db()
    assert (message.text, message.entities) == ("Три.", [])


def test_a_request_without_an_answer_gives_way_to_a_newer_edit(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    first = claim_now()
    edit(message, aigerim, "Три.")
    settle(first.call, Outcome(DeliveryState.UNKNOWN, "no answer"))
    turn()
    assert texts(timurs_telegram)[-1].endswith("Три.")
    assert list(message.alterations.order_by("pk").values_list("state", flat=True)) == ["replaced", "done"]


def test_a_deletion_after_an_edit_wins_and_nothing_brings_the_message_back(
    aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    before = timurs_telegram.received()
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    delete(message, aigerim)
    with pytest.raises(WrongState, match="удалено"):
        edit(message, aigerim, "Три.")
    turn()
    assert timurs_telegram.received() == before
    with pytest.raises(WrongState, match="удалено"):
        edit(message, aigerim, "Три.")


def test_what_has_not_arrived_yet_is_not_changed_there(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Раз.")
    with pytest.raises(WrongState, match="до него дошло"):
        delete(message, aigerim)
    claim_now()
    with pytest.raises(WrongState, match="ответа о нём ещё нет"):
        edit(message, aigerim, "Два.")
    assert not Alteration.objects.exists()


# Trouble.


@pytest.mark.parametrize("knob", ["bad_gateway", "server_error", "cut", "too_many_requests", "drop"])
def test_an_edit_is_asked_for_again_until_telegram_takes_it(
    sandbox: SandboxServer, knob: str, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    sandbox.knobs.turn_on(knob, times=1, methods=["editMessageText"])
    turn()
    alteration = last_of(message)
    assert (alteration.state, alteration.due_at > timezone.now()) == (AlterationState.QUEUED, True)
    turn()
    assert texts(timurs_telegram)[-1].endswith("Два.")
    assert last_of(message).state == AlterationState.DONE
    call = OutboundCall.objects.get(alteration__isnull=False)
    assert (call.state, call.attempts) == (DeliveryState.SENT, 2)


def test_after_a_pause_telegram_asked_for_an_edit_waits_as_long(
    sandbox: SandboxServer, aigerim: User, arrived, turn: Turn
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    sandbox.knobs.turn_on("too_many_requests", times=1, seconds=300)
    turn()
    assert last_of(message).due_at > timezone.now() + timedelta(seconds=250)


def test_a_chat_telegram_wants_left_alone_is_asked_for_no_change(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, answer: Answer, arrived, turn: Turn
) -> None:
    message = arrived("Раз.")
    answer(ticket, aigerim, "Два.")
    sandbox.knobs.turn_on("too_many_requests", times=1, seconds=300)
    turn()
    edit(message, aigerim, "Три.")
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    turn()
    assert last_of(message).state == AlterationState.DONE


@pytest.mark.parametrize("rows", [ChatSession.objects, BotStatus.objects])
def test_while_telegram_wants_a_chat_or_the_bot_left_alone_no_other_change_is_asked_for(
    aigerim: User, arrived, rows: Any
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    come_due()
    rows.update(next_send_at=timezone.now() + timedelta(minutes=5))
    if rows is ChatSession.objects:
        assert not has_work(BOT_ID)
    assert isinstance(claim(BOT_ID, WORKER), Pause)
    rows.update(next_send_at=timezone.now() - timedelta(seconds=1))
    assert has_work(BOT_ID)
    assert isinstance(claim(BOT_ID, WORKER), Claimed)


def test_what_the_customer_has_deleted_says_so_and_shows_what_they_saw(
    sandbox: SandboxServer, ticket: Ticket, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    known = TelegramMessage.objects.get(message=message)
    sandbox.call("deleteMessage", chat_id=timurs_telegram.id, message_id=known.telegram_id)
    edit(message, aigerim, "Два.")
    turn()
    alteration = last_of(message)
    assert (alteration.state, alteration.obstacle) == (AlterationState.FAILED, Obstacle.GONE)
    message.refresh_from_db()
    ticket.refresh_from_db()
    assert (message.text, message.edited_at, message.revisions.count()) == ("Раз.", None, 0)
    assert (ticket.trouble, ticket.last_text) == (Trouble.UNALTERED, "Раз.")
    assert ticket.events.filter(kind=Event.Kind.ALTERED, data__obstacle="gone").exists()
    operations.leave_as_is(message_id=message.pk, actor=aigerim)
    ticket.refresh_from_db()
    assert ticket.trouble == Trouble.NONE
    with pytest.raises(WrongState):
        operations.leave_as_is(message_id=message.pk, actor=aigerim)


def test_what_the_customer_has_deleted_needs_no_deletion(
    sandbox: SandboxServer, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    known = TelegramMessage.objects.get(message=message)
    sandbox.call("deleteMessage", chat_id=timurs_telegram.id, message_id=known.telegram_id)
    delete(message, aigerim)
    turn()
    assert last_of(message).state == AlterationState.DONE


def test_the_same_words_are_no_change_and_telegrams_word_for_it_is_success(
    aigerim: User, arrived, turn: Turn, sandbox: SandboxServer
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Раз.")
    assert not Alteration.objects.exists()
    edit(message, aigerim, "Два.")
    claimed = claim_now()
    ask(claimed, make_bot(TOKEN, sandbox.base_url))
    settle(claimed.call, Outcome(DeliveryState.UNKNOWN, "no answer"))
    assert turn().error.startswith("Bad Request: message is not modified")
    assert last_of(message).state == AlterationState.DONE


def test_a_customer_who_stopped_the_bot_keeps_what_they_have(
    ticket: Ticket, timur: Customer, aigerim: User, arrived, turn: Turn, timurs_telegram: CustomerClient
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    claimed = claim_now()
    settle(claimed.call, Outcome(DeliveryState.HELD, "Forbidden: bot was blocked by the user", "blocked"))
    alteration = last_of(message)
    assert (alteration.state, alteration.obstacle) == (AlterationState.FAILED, Obstacle.BLOCKED)
    timur.refresh_from_db()
    assert timur.stopped_bot_at is not None
    with pytest.raises(WrongState, match="остановил"):
        edit(message, aigerim, "Три.")


def test_another_bots_message_cannot_be_changed(aigerim: User, arrived, turn: Turn) -> None:
    message = arrived("Раз.")
    TelegramMessage.objects.filter(message=message).update(bot_id=BOT_ID + 1)
    edit(message, aigerim, "Два.")
    turn()
    assert last_of(message).obstacle == Obstacle.GONE


@pytest.mark.parametrize("change", [delete, lambda message, actor: edit(message, actor, "Всё отменяется.")])
@pytest.mark.parametrize("unanswered", [0, 1])
def test_of_a_reply_whose_part_telegram_never_confirmed_nothing_is_said_to_be_changed(
    sandbox: SandboxServer,
    aigerim: User,
    answer: Answer,
    ticket: Ticket,
    turn: Turn,
    timurs_telegram: CustomerClient,
    change: Callable[[Message, User], None],
    unanswered: int,
) -> None:
    message = answer(ticket, aigerim, LONG + LONG)
    for part in range(operations.parts_of(message)):
        if part != unanswered:
            turn()
            continue
        claimed = claim_now()
        ask(claimed, make_bot(TOKEN, sandbox.base_url))
        settle(claimed.call, Outcome(DeliveryState.UNKNOWN, "no answer"))
        operations.mark_arrived(message_id=message.pk, actor=aigerim)
    before = texts(timurs_telegram)
    change(Message.objects.get(pk=message.pk), aigerim)
    turn()
    assert texts(timurs_telegram) == before
    message.refresh_from_db()
    ticket.refresh_from_db()
    assert (message.deleted_at, message.edited_at, message.text) == (None, None, (LONG + LONG).strip())
    assert (last_of(message).obstacle, ticket.trouble) == (Obstacle.REFUSED, Trouble.UNALTERED)


def test_two_days_later_telegram_deletes_nothing(aigerim: User, arrived) -> None:
    message = arrived("Раз.")
    Delivery.objects.filter(pk=message.pk).update(queued_at=timezone.now() - timedelta(hours=49))
    with pytest.raises(WrongState, match="48 часов"):
        delete(message, aigerim)


def test_a_refused_deletion_leaves_the_message_and_says_why(
    ticket: Ticket, aigerim: User, arrived, sandbox: SandboxServer, turn: Turn
) -> None:
    message = arrived("Раз.")
    delete(message, aigerim)
    said = "Bad Request: message can't be deleted for everyone"
    settle(claim_now().call, Outcome(DeliveryState.FAILED, said, "refused"))
    message.refresh_from_db()
    ticket.refresh_from_db()
    assert (message.deleted_at, message.text) == (None, "Раз.")
    assert (last_of(message).obstacle, ticket.trouble) == (Obstacle.TOO_OLD, Trouble.UNALTERED)


def test_a_change_that_broke_off_shows_what_the_customer_has_of_it(aigerim: User, arrived, turn: Turn) -> None:
    message = arrived(LONG)
    former = message.text
    edit(message, aigerim, former.replace("договора", "соглашения")[:6000])
    turn()
    settle(claim_now().call, Outcome(DeliveryState.FAILED, "Bad Request: message to edit not found", "refused"))
    message.refresh_from_db()
    assert message.text.startswith("Пункт соглашения.")
    assert message.text.endswith("Пункт договора.")
    assert message.edited_at is not None


def test_half_an_hour_without_telegrams_word_is_given_up_aloud(
    ticket: Ticket, aigerim: User, arrived, sandbox: SandboxServer
) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    later = timezone.now() + timedelta(minutes=31)
    assert operations.give_up_alterations() == 0
    assert operations.give_up_alterations(now=later) == 1
    message.refresh_from_db()
    assert (last_of(message).obstacle, message.text) == (Obstacle.STALE, "Раз.")
    with pytest.raises(AssertionError):
        claim_now()


def test_a_worker_that_died_is_followed_by_another(aigerim: User, arrived, turn: Turn) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    claimed = claim_now()
    OutboundCall.objects.filter(pk=claimed.call.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert expire_leases() == 1
    assert last_of(message).state == AlterationState.QUEUED
    turn()
    assert last_of(message).state == AlterationState.DONE


def test_after_a_restore_nothing_changes_by_itself(aigerim: User, arrived) -> None:
    message = arrived("Раз.")
    edit(message, aigerim, "Два.")
    claim_now()
    edit(message, aigerim, "Три.")
    assert operations.doubt_alterations() == 2
    states = list(message.alterations.order_by("pk").values_list("state", "obstacle"))
    assert states == [("replaced", ""), ("failed", "restored")]
    message.refresh_from_db()
    assert message.text == "Раз."


# Rights.


def test_who_may_change_a_reply(ticket: Ticket, bolat: User, dana: User, saule: User, arrived) -> None:
    message = arrived("Раз.")
    for act in (lambda who: edit(message, who, "Два."), lambda who: delete(message, who)):
        with pytest.raises(NotAllowed):
            act(bolat)
        with pytest.raises(NotVisible):
            act(dana)
    edit(message, saule, "Два.")
    delete(message, saule)
