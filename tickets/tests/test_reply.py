"""A manager's reply: once, in order, never over unread messages, and honest about its fate."""

import io
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from conftest import wrote
from tickets import access, operations
from tickets.files import MEGABYTE, max_upload
from tickets.models import (
    Change,
    ContentType,
    Customer,
    Decision,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Message,
    Notice,
    Reason,
    Status,
    Team,
    Ticket,
    TicketReader,
    Trouble,
    User,
    View,
)
from tickets.operations.uploads import check_uploads

Answer = Callable[..., Message]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def upload(name: str, content: bytes = PNG) -> operations.Upload:
    return operations.Upload(name=name, file=ContentFile(content, name=name))


def test_a_reply_waits_for_telegram_and_the_ticket_for_the_customer(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim)

    ticket.refresh_from_db()
    assert message.delivery.state == DeliveryState.QUEUED
    assert message.delivery.lane == Lane.REPLY
    assert ticket.status == Status.WAITING
    assert ticket.waiting_since is None
    assert ticket.first_answered_at == message.sent_at


def test_replying_to_a_free_ticket_takes_it(free_ticket: Ticket, bolat: User, answer: Answer) -> None:
    answer(free_ticket, bolat)

    free_ticket.refresh_from_db()
    assert free_ticket.assignee == bolat


def test_a_colleague_may_not_reply(ticket: Ticket, bolat: User, answer: Answer) -> None:
    with pytest.raises(operations.NotAllowed):
        answer(ticket, bolat)
    assert not Delivery.objects.exists()


def test_a_stranger_does_not_see_the_ticket(ticket: Ticket, dana: User, answer: Answer) -> None:
    with pytest.raises(operations.NotVisible):
        answer(ticket, dana)


def test_a_supervisor_replies_anywhere(ticket: Ticket, saule: User, answer: Answer) -> None:
    assert answer(ticket, saule).author == saule


def test_the_same_submit_twice_is_one_message(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    client_id = uuid.uuid4()

    first = answer(ticket, aigerim, "Да", client_id=client_id)
    second = answer(ticket, aigerim, "Да", client_id=client_id)

    assert first == second
    assert Delivery.objects.count() == 1


def test_another_text_under_the_same_id_is_refused(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    client_id = uuid.uuid4()
    answer(ticket, aigerim, "Да", client_id=client_id)

    with pytest.raises(operations.AnotherText):
        answer(ticket, aigerim, "Нет", client_id=client_id)


def test_the_same_words_with_another_end_are_another_submit(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    client_id = uuid.uuid4()
    answer(ticket, aigerim, "Да", client_id=client_id)

    with pytest.raises(operations.AnotherText):
        answer(ticket, aigerim, "Да", client_id=client_id, then=operations.Then.RESOLVE)
    with pytest.raises(operations.AnotherText):
        operations.note(ticket_id=ticket.pk, actor=aigerim, text="Да", client_id=client_id)


def test_no_decision_is_made_over_unread_messages(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim)
    unknown(message)
    wrote(timur, "Уже всё пришло", ticket=ticket)

    with pytest.raises(operations.Unseen):
        operations.resend(message_id=message.pk, actor=aigerim, seen=operations.Seen(message.pk))
    with pytest.raises(operations.Unseen):
        operations.mark_arrived(message_id=message.pk, actor=aigerim, seen=operations.Seen(message.pk))


def test_a_reply_over_unread_messages_is_refused_with_them(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    seen = operations.Seen(ticket.last_message_id)
    missed = wrote(timur, "Уже не нужно", ticket=ticket).message

    with pytest.raises(operations.Unseen) as refusal:
        answer(ticket, aigerim, seen=seen)

    assert refusal.value.missed == [missed]
    answer(ticket, aigerim, seen=operations.Seen(missed.pk))


def test_a_reply_over_an_edit_not_yet_read_is_refused_with_the_changed_message(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    changed = ticket.messages.get()
    seen = operations.Seen(changed.pk, ticket.events.latest("pk").pk)
    operations.revise(message=changed, text="Не включается телефон", entities=[], edited_at=timezone.now())

    with pytest.raises(operations.Unseen) as refusal:
        answer(ticket, aigerim, seen=seen)

    assert (refusal.value.missed, refusal.value.revised) == ([], [changed])
    answer(ticket, aigerim, seen=refusal.value.read_to)


def test_who_names_no_line_of_history_is_not_asked_about_edits(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    changed = ticket.messages.get()
    operations.revise(message=changed, text="Не включается телефон", entities=[], edited_at=timezone.now())

    answer(ticket, aigerim, seen=operations.Seen(changed.pk))


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.x", "1.-2", "9" * 19, "١"])
def test_a_place_in_the_conversation_nobody_can_be_at_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        operations.Seen.parse(text)


@pytest.mark.parametrize("text", ["12", "12.40"])
def test_a_place_in_the_conversation_is_read_as_it_is_written(text: str) -> None:
    assert str(operations.Seen.parse(text)) == text


def test_a_colleagues_note_is_unread_too_but_ones_own_is_not(
    ticket: Ticket, aigerim: User, bolat: User, answer: Answer
) -> None:
    seen = operations.Seen(ticket.last_message_id)
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="Моя заметка", client_id=uuid.uuid4())
    answer(ticket, aigerim, seen=seen)
    operations.note(ticket_id=ticket.pk, actor=bolat, text="Не обещайте", client_id=uuid.uuid4())

    with pytest.raises(operations.Unseen):
        answer(ticket, aigerim, seen=seen)


@pytest.mark.parametrize("text", ["", "   ", "я" * 20_001, "😀" * 10_001])
def test_a_text_telegram_would_refuse_is_refused_in_words(
    text: str, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    with pytest.raises(operations.Invalid) as refusal:
        answer(ticket, aigerim, text)
    assert refusal.value.field == "text"


def test_a_text_with_a_file_is_a_caption_and_shorter(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    with pytest.raises(operations.Invalid):
        answer(ticket, aigerim, "я" * 1025, uploads=[upload("a.png")])
    answer(ticket, aigerim, "я" * 1024, uploads=[upload("a.png")])


def test_files_are_told_by_their_bytes(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, uploads=[upload("акт.pdf"), upload("photo.png", b"<script>alert(1)</script>")])

    kinds = list(message.attachments.order_by("position").values_list("kind", "sniffed_type", "file_name"))
    assert kinds == [("photo", "image/png", "акт.pdf"), ("document", "application/octet-stream", "photo.png")]


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_telephones_picture_is_no_film(brand: bytes, ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, uploads=[upload("IMG_0719.HEIC", b"\0\0\0\x18ftyp" + brand + bytes(80))])
    attachment = message.attachments.get()
    assert (attachment.kind, attachment.sniffed_type) == ("document", "application/octet-stream")


def test_files_telegram_would_refuse_are_refused_in_words(
    ticket: Ticket, aigerim: User, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_big = upload("видео.png")
    monkeypatch.setattr(too_big.file, "size", 50 * 1024 * 1024 + 1)

    for uploads in ([too_big], [upload("пусто.png", b"")], [upload(f"{number}.png") for number in range(11)]):
        with pytest.raises(operations.Invalid) as refused:
            answer(ticket, aigerim, "Смотрите", uploads=uploads)
        assert refused.value.field == "files"


def test_a_refused_reply_leaves_no_file_behind(ticket: Ticket, bolat: User, answer: Answer, media_root: Path) -> None:
    before = sorted(media_root.rglob("*"))
    with pytest.raises(operations.NotAllowed):
        answer(ticket, bolat, uploads=[upload("a.png", PNG + b"unique")])
    assert [path for path in sorted(media_root.rglob("*")) if path.is_file()] == [p for p in before if p.is_file()]


def test_a_quote_from_another_ticket_is_refused(ticket: Ticket, timur: Customer, aigerim: User, answer: Answer) -> None:
    foreign = wrote(timur, "Другой вопрос").message

    with pytest.raises(operations.Invalid):
        answer(ticket, aigerim, quote_id=foreign.pk)


def test_reply_and_resolve_tells_the_customer_after_the_undo_window(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    answer(ticket, aigerim, then=operations.Then.RESOLVE)

    ticket.refresh_from_db()
    solved = Delivery.objects.get(message__notice=Notice.SOLVED)
    assert ticket.status == Status.RESOLVED
    assert ticket.resolved_at is not None
    assert solved.due_at - ticket.resolved_at >= operations.UNDO_WINDOW


def test_a_reply_to_a_customer_who_stopped_the_bot_is_held_at_once(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    operations.customer_stopped_bot(customer=timur)

    message = answer(ticket, aigerim)

    assert (message.delivery.state, message.delivery.reason) == (DeliveryState.HELD, Reason.BLOCKED)
    ticket.refresh_from_db()
    assert ticket.trouble == Trouble.HELD, "and the queue says so"
    assert (ticket.status, ticket.waiting_since) == (Status.OPEN, ticket.opened_by.sent_at), "nothing was answered yet"


def test_an_answer_that_is_held_at_once_does_not_solve_the_question(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    operations.customer_stopped_bot(customer=timur)

    answer(ticket, aigerim, then=operations.Then.RESOLVE)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.trouble) == (Status.OPEN, Trouble.HELD)
    assert ticket.waiting_since is not None
    assert not Delivery.objects.filter(message__notice=Notice.SOLVED).exists()


def test_every_ticket_of_a_customer_who_stops_the_bot_waits_for_an_answer_again(
    ticket: Ticket, timur: Customer, saule: User, answer: Answer
) -> None:
    tickets = [ticket, wrote(timur, "Другой вопрос").ticket]
    waiting = [each.waiting_since for each in tickets]
    for each in tickets:
        answer(each, saule)

    operations.customer_stopped_bot(customer=timur)

    for each in tickets:
        each.refresh_from_db()
    assert [each.waiting_since for each in tickets] == waiting
    assert [each.trouble for each in tickets] == [Trouble.HELD] * 2


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.HELD])
def test_trouble_with_a_reply_wakes_the_ticket_it_put_off(
    ticket: Ticket, aigerim: User, answer: Answer, state: DeliveryState
) -> None:
    reply = answer(ticket, aigerim, then=operations.Then.SNOOZE, snooze_until=timezone.now() + timedelta(days=30))

    operations.settle(delivery_id=reply.pk, state=state, parts_sent=0)

    ticket.refresh_from_db()
    assert (ticket.snoozed_until, ticket.trouble) == (None, Trouble[state.name])
    assert ticket in Ticket.objects.in_view(View.MINE, aigerim)


def test_a_reply_held_from_the_start_does_not_put_its_ticket_off(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    operations.customer_stopped_bot(customer=timur)

    answer(ticket, aigerim, then=operations.Then.SNOOZE, snooze_until=timezone.now() + timedelta(days=30))

    assert ticket in Ticket.objects.in_view(View.MINE, aigerim)


def test_all_that_a_stop_holds_or_drops_is_told_to_open_pages_and_authors(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    replies = [answer(ticket, aigerim), answer(ticket, aigerim, "И ещё.")]
    sentence = operations.say(customer=timur, notice=Notice.RECEIPT, text="Принято.", ticket=ticket)
    before = Change.objects.latest("pk").pk

    operations.customer_stopped_bot(customer=timur)

    told = Change.objects.filter(pk__gt=before)
    states = told.filter(kind=Change.Kind.MESSAGE_STATE).values_list("message_id", flat=True)
    assert sorted(states) == sorted(message.pk for message in [*replies, sentence])
    toasts = told.filter(kind=Change.Kind.TROUBLE, audience=[access.user_token(aigerim.pk)])
    assert list(toasts.values_list("message_id", flat=True)) == [replies[0].pk], "one for all they wrote there"
    history = ticket.events.filter(kind=Event.Kind.DELIVERY).values_list("data__state", flat=True)
    assert sorted(history) == ["cancelled", "held", "held"]
    ticket.refresh_from_db()
    assert ticket.version == 1 + ticket.events.count(), "one step for each line of history"


def solved_notice_under_way() -> Delivery:
    """The sentence that the ticket is solved, which a worker is sending."""
    Delivery.objects.filter(message__notice=Notice.SOLVED, state=DeliveryState.QUEUED).update(due_at=timezone.now())
    delivery = operations.start_sending(delivery_id=Delivery.objects.get(state=DeliveryState.QUEUED).pk)
    assert delivery is not None
    return delivery


def comes_back(delivery: Delivery) -> Delivery:
    """Telegram asked to wait, or no connection opened."""
    return operations.settle(delivery_id=delivery.pk, state=DeliveryState.QUEUED, parts_sent=0)


def test_that_a_ticket_is_solved_is_said_no_more_once_it_is_back_at_work(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    under_way = solved_notice_under_way()
    wrote(timur, "Снова сломалось", ticket=ticket)

    said = comes_back(under_way)

    assert (said.state, said.reason) == (DeliveryState.CANCELLED, Reason.UNDONE)


def test_that_a_ticket_is_solved_is_said_once_though_it_was_solved_again_meanwhile(
    ticket: Ticket, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    first = solved_notice_under_way()
    operations.reopen(ticket_id=ticket.pk, actor=aigerim)
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    assert comes_back(first).state == DeliveryState.CANCELLED

    again = solved_notice_under_way()
    assert again.pk != first.pk
    assert comes_back(again).state == DeliveryState.QUEUED


def test_a_sentence_about_a_solved_ticket_is_dropped_by_a_stop_and_that_is_told(
    ticket: Ticket, timur: Customer, aigerim: User
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    before = Change.objects.latest("pk").pk

    operations.customer_stopped_bot(customer=timur)

    solved = Delivery.objects.get(message__notice=Notice.SOLVED)
    assert (solved.state, solved.reason) == (DeliveryState.CANCELLED, Reason.BLOCKED)
    assert Change.objects.filter(pk__gt=before, kind=Change.Kind.MESSAGE_STATE, message=solved.pk).count() == 1


def test_all_that_goes_or_waits_when_the_customer_returns_is_told_to_open_pages(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    replies = [answer(ticket, aigerim), answer(ticket, aigerim, "Вчерашнее")]
    operations.customer_stopped_bot(customer=timur)
    Delivery.objects.filter(pk=replies[1].pk).update(queued_at=timezone.now() - timedelta(hours=25))
    before = Change.objects.latest("pk").pk

    operations.customer_returned(customer=timur)

    told = Change.objects.filter(pk__gt=before, kind=Change.Kind.MESSAGE_STATE).order_by("pk")
    assert {change.message_id for change in told} == {message.pk for message in replies}
    assert Delivery.objects.get(pk=replies[1].pk).reason == Reason.STALE


def test_a_reply_written_in_the_very_moment_of_the_return_goes_too(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    operations.customer_stopped_bot(customer=timur)
    reply = answer(ticket, aigerim)
    assert operations.release_to_the_returned() == 0
    timur.stopped_bot_at = None  # by an act that could not see this reply, nor this reply it
    timur.save()
    before = Change.objects.latest("pk").pk

    assert operations.release_to_the_returned() == 1

    ticket.refresh_from_db()
    assert (Delivery.objects.get(pk=reply.pk).state, ticket.trouble) == (DeliveryState.QUEUED, Trouble.NONE)
    assert Change.objects.filter(pk__gt=before, kind=Change.Kind.MESSAGE_STATE, message=reply).exists()
    assert operations.release_to_the_returned() == 0


def test_a_customer_who_comes_back_to_an_answer_no_longer_waits(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    answer(ticket, aigerim)
    operations.customer_stopped_bot(customer=timur)

    operations.customer_returned(customer=timur)

    ticket.refresh_from_db()
    assert (ticket.waiting_since, ticket.trouble) == (None, Trouble.NONE)


def test_a_muted_customer_who_comes_and_goes_calls_nobody(
    ticket: Ticket, timur: Customer, aigerim: User, saule: User, answer: Answer
) -> None:
    answer(ticket, aigerim)
    timur = operations.mute_customer(customer_id=timur.pk, actor=saule)
    wrote(timur, "Спам", ticket=ticket)

    operations.customer_stopped_bot(customer=timur)
    operations.customer_returned(customer=timur)

    ticket.refresh_from_db()
    assert (ticket.waiting_since, ticket.status) == (None, Status.WAITING)


def test_stopping_and_returning_ask_as_little_for_many_replies_as_for_few(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer, django_assert_max_num_queries
) -> None:
    for number in range(40):
        answer(ticket, aigerim, f"Ответ {number}")

    with django_assert_max_num_queries(40):
        operations.customer_stopped_bot(customer=timur)
    assert Delivery.objects.filter(state=DeliveryState.HELD).count() == 40
    with django_assert_max_num_queries(40):
        operations.customer_returned(customer=timur)
    assert Delivery.objects.filter(state=DeliveryState.QUEUED, lane=Lane.REPLY).count() == 40


def test_new_words_of_a_held_reply_wait_with_it_while_the_bot_is_stopped(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    operations.customer_stopped_bot(customer=timur)
    reply = answer(ticket, aigerim, "Раз")

    operations.edit_reply(message_id=reply.pk, actor=aigerim, text="Раз!")

    delivery = Delivery.objects.select_related("message").get(pk=reply.pk)
    ticket.refresh_from_db()
    assert (delivery.state, delivery.message.text, ticket.trouble) == (DeliveryState.HELD, "Раз!", Trouble.HELD)


def test_a_held_reply_saved_with_the_same_words_goes_and_is_not_called_edited(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    reply = answer(ticket, aigerim, "Раз")
    operations.hold_stale(now=timezone.now() + timedelta(hours=1))

    operations.edit_reply(message_id=reply.pk, actor=aigerim, text="Раз")

    reply.refresh_from_db()
    assert Delivery.objects.get(pk=reply.pk).state == DeliveryState.QUEUED
    assert (reply.edited_at, reply.revisions.count()) == (None, 0)
    assert ticket.events.latest("pk").kind == Event.Kind.RELEASED


def test_new_words_of_a_reply_that_had_grown_old_go_when_the_customer_is_back(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    reply = answer(ticket, aigerim, "Раз")
    operations.hold_stale(now=timezone.now() + timedelta(hours=1))
    Delivery.objects.update(queued_at=timezone.now() - timedelta(hours=25))
    operations.customer_stopped_bot(customer=timur)
    operations.edit_reply(message_id=reply.pk, actor=aigerim, text="Раз!")

    operations.customer_returned(customer=timur)

    assert Delivery.objects.get(pk=reply.pk).state == DeliveryState.QUEUED


def test_a_muted_customer_waits_no_longer_once_what_was_held_goes(
    ticket: Ticket, timur: Customer, aigerim: User, saule: User, answer: Answer
) -> None:
    reply = answer(ticket, aigerim)
    operations.hold_stale(now=timezone.now() + timedelta(hours=1))
    operations.mute_customer(customer_id=timur.pk, actor=saule)

    operations.release(message_id=reply.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert ticket.waiting_since is None


def test_what_has_arrived_stays_so_when_the_customer_stops_the_bot(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim)
    operations.start_sending(delivery_id=message.pk)
    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)

    operations.customer_stopped_bot(customer=timur)

    assert Delivery.objects.get(message=message).state == DeliveryState.SENT


def test_what_was_held_goes_when_the_customer_returns_within_a_day(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim)
    old = answer(ticket, aigerim, "Вчерашнее")
    operations.customer_stopped_bot(customer=timur)
    Delivery.objects.filter(pk=old.pk).update(queued_at=timezone.now() - timedelta(hours=25))

    timur.refresh_from_db()
    operations.customer_returned(customer=timur)

    ticket.refresh_from_db()
    assert Delivery.objects.get(pk=message.pk).state == DeliveryState.QUEUED
    assert Delivery.objects.get(pk=old.pk).state == DeliveryState.HELD
    assert ticket.trouble == Trouble.HELD


def test_so_does_what_telegram_refused_while_the_account_was_closed(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    refused, behind = answer(ticket, aigerim), answer(ticket, aigerim, "И ещё")
    operations.start_sending(delivery_id=refused.pk)
    operations.settle(delivery_id=refused.pk, state=DeliveryState.HELD, parts_sent=0, reason=Reason.DEACTIVATED)
    operations.customer_stopped_bot(customer=timur)

    timur.refresh_from_db()
    operations.customer_returned(customer=timur)

    states = Delivery.objects.filter(pk__in=[refused.pk, behind.pk]).values_list("state", flat=True)
    assert list(states) == [DeliveryState.QUEUED] * 2


def test_a_reply_unsent_for_half_an_hour_waits_for_its_manager(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)

    assert operations.hold_stale() == 0
    assert operations.hold_stale(now=timezone.now() + timedelta(minutes=31)) == 1

    delivery = Delivery.objects.get(pk=message.pk)
    assert (delivery.state, delivery.reason) == (DeliveryState.HELD, Reason.STALE)
    operations.release(message_id=message.pk, actor=aigerim)
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.QUEUED
    assert operations.hold_stale() == 0


def test_a_queued_reply_can_be_edited_and_its_old_words_are_kept(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "До 18:00")

    operations.edit_reply(message_id=message.pk, actor=aigerim, text="До 19:00")

    message.refresh_from_db()
    ticket.refresh_from_db()
    assert message.text == ticket.last_text == "До 19:00"
    assert [revision.text for revision in message.revisions.all()] == ["До 18:00"]


def test_a_reply_being_sent_can_be_neither_edited_nor_withdrawn(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)
    assert operations.start_sending(delivery_id=message.pk) is not None

    with pytest.raises(operations.WrongState):
        operations.edit_reply(message_id=message.pk, actor=aigerim, text="Другое")
    with pytest.raises(operations.WrongState):
        operations.withdraw(message_id=message.pk, actor=aigerim)


@pytest.mark.parametrize("text", ["  \r\n", "х" * 20_001])
def test_a_reply_is_edited_into_nothing_telegram_would_refuse(
    text: str, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim, "До 18:00")

    with pytest.raises(operations.Invalid):
        operations.edit_reply(message_id=message.pk, actor=aigerim, text=text)

    message.refresh_from_db()
    assert message.text == "До 18:00"
    assert not message.revisions.exists()


def test_a_caption_is_edited_away_but_not_into_a_longer_one(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Чек", uploads=[upload("чек.png")])

    with pytest.raises(operations.Invalid):
        operations.edit_reply(message_id=message.pk, actor=aigerim, text="х" * 1025)
    operations.edit_reply(message_id=message.pk, actor=aigerim, text="")

    message.refresh_from_db()
    assert message.text == ""


def test_only_the_tickets_own_manager_decides_about_a_reply(
    ticket: Ticket, aigerim: User, bolat: User, dana: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim)

    with pytest.raises(operations.NotAllowed):
        operations.withdraw(message_id=message.pk, actor=bolat)
    with pytest.raises(operations.NotVisible):
        operations.withdraw(message_id=message.pk, actor=dana)

    assert Delivery.objects.get(message=message).state == DeliveryState.QUEUED


def test_what_is_no_reply_cannot_be_withdrawn(ticket: Ticket, aigerim: User) -> None:
    written = operations.note(ticket_id=ticket.pk, actor=aigerim, text="Проверил склад", client_id=uuid.uuid4())

    for message_id in (ticket.last_message_id, written.pk):
        with pytest.raises(operations.WrongState):
            operations.withdraw(message_id=message_id, actor=aigerim)


def test_nothing_is_decided_about_a_reply_on_its_way(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)

    for decide in (operations.release, operations.mark_arrived, operations.resend):
        with pytest.raises(operations.WrongState):
            decide(message_id=message.pk, actor=aigerim)

    assert Delivery.objects.get(message=message).state == DeliveryState.QUEUED


def test_a_withdrawn_reply_leaves_the_customer_waiting_again(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    waiting_since = ticket.waiting_since
    message = answer(ticket, aigerim)

    operations.withdraw(message_id=message.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert ticket.waiting_since == waiting_since
    assert ticket.status == Status.OPEN
    assert operations.start_sending(delivery_id=message.pk) is None


def unknown(message: Message, parts_sent: int = 0) -> Delivery:
    operations.start_sending(delivery_id=message.pk)
    return operations.settle(delivery_id=message.pk, state=DeliveryState.UNKNOWN, parts_sent=parts_sent)


@pytest.mark.parametrize("state", [DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED])
def test_the_writer_alone_is_told_that_a_reply_waits_for_a_decision(
    ticket: Ticket, aigerim: User, saule: User, answer: Answer, state: DeliveryState
) -> None:
    message = answer(ticket, aigerim)
    operations.assign(ticket_id=ticket.pk, actor=saule, assignee_id=None)
    operations.start_sending(delivery_id=message.pk)
    operations.settle(delivery_id=message.pk, state=state, parts_sent=0)

    told = Change.objects.get(kind=Change.Kind.TROUBLE)
    assert (told.message, told.audience) == (message, [access.user_token(aigerim.pk)])


def test_a_writer_who_no_longer_sees_the_ticket_is_told_nothing(
    ticket: Ticket, aigerim: User, saule: User, other_team: Team, answer: Answer
) -> None:
    message = answer(ticket, aigerim)
    operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)
    unknown(message)

    assert not Change.objects.filter(kind=Change.Kind.TROUBLE).exists()


def test_an_unknown_send_marks_the_ticket_and_nobody_resends_it(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)
    unknown(message)

    ticket.refresh_from_db()
    assert ticket.trouble == Trouble.UNKNOWN
    assert operations.start_sending(delivery_id=message.pk) is None


def test_arrived_by_the_managers_word_is_no_tick(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)
    unknown(message)

    operations.mark_arrived(message_id=message.pk, actor=aigerim)

    ticket.refresh_from_db()
    delivery = Delivery.objects.get(pk=message.pk)
    assert delivery.state == DeliveryState.UNKNOWN
    assert (delivery.decision, delivery.decided_by) == (Decision.ARRIVED, aigerim)
    assert ticket.trouble == Trouble.NONE
    with pytest.raises(operations.WrongState):
        operations.resend(message_id=message.pk, actor=aigerim)


def test_the_parts_behind_an_unsure_one_go_on_once_it_has_arrived(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim, uploads=[upload("1.png"), upload("2.png"), upload("3.png")])
    unknown(message, parts_sent=1)

    operations.mark_arrived(message_id=message.pk, actor=aigerim)

    delivery = Delivery.objects.get(pk=message.pk)
    assert (delivery.state, delivery.parts_sent) == (DeliveryState.QUEUED, 2)


def test_sending_again_repeats_only_what_may_be_missing(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Вот", uploads=[upload("1.png"), upload("2.png"), upload("3.png")])
    unknown(message, parts_sent=1)

    repeat = operations.resend(message_id=message.pk, actor=aigerim)

    assert repeat.resend_of == message
    assert repeat.text == ""
    assert [a.file_name for a in repeat.attachments.order_by("position")] == ["2.png", "3.png"]
    assert repeat.delivery.state == DeliveryState.QUEUED
    assert message.attachments.count() == 3


@pytest.mark.parametrize("state", [DeliveryState.HELD, DeliveryState.FAILED])
def test_the_rest_of_a_reply_that_went_in_part_may_stay_unsent(
    ticket: Ticket, aigerim: User, answer: Answer, state: DeliveryState
) -> None:
    message = answer(ticket, aigerim, "Вот", uploads=[upload("1.png"), upload("2.png")])
    operations.settle(delivery_id=message.pk, state=state, parts_sent=1, reason=Reason.BLOCKED)
    operations.customer_stopped_bot(customer=ticket.customer)
    with pytest.raises(operations.WrongState, match="Часть этого сообщения уже у клиента"):
        operations.withdraw(message_id=message.pk, actor=aigerim)

    operations.leave_as_is(message_id=message.pk, actor=aigerim)

    operations.customer_returned(customer=Customer.objects.get(pk=ticket.customer_id))
    ticket.refresh_from_db()
    delivery = Delivery.objects.get(pk=message.pk)
    assert (delivery.state, delivery.parts_sent, delivery.decision) == (DeliveryState.FAILED, 1, Decision.LEFT)
    assert ticket.trouble == Trouble.NONE
    assert ticket.events.filter(kind="left", actor=aigerim).count() == 1
    with pytest.raises(operations.WrongState):
        operations.leave_as_is(message_id=message.pk, actor=aigerim)


def test_a_late_success_makes_an_unknown_send_sent(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim)
    unknown(message)

    operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=1)
    operations.settle(delivery_id=message.pk, state=DeliveryState.FAILED, parts_sent=0, reason=Reason.REFUSED)

    ticket.refresh_from_db()
    assert Delivery.objects.get(pk=message.pk).state == DeliveryState.SENT
    assert ticket.trouble == Trouble.NONE


def test_automatic_messages_expire(ticket: Ticket, timur: Customer) -> None:
    message = operations.say(customer=timur, notice=Notice.RECEIPT, text="Принято", ticket=ticket)

    assert operations.expire_automatic(now=timezone.now() + timedelta(hours=2)) == 1

    assert Delivery.objects.get(pk=message.pk).state == DeliveryState.CANCELLED


def test_a_note_reaches_no_customer_and_its_mention_follows(ticket: Ticket, bolat: User, dana: User) -> None:
    message = operations.note(
        ticket_id=ticket.pk, actor=bolat, text="@Дана Ким, посмотрите, пожалуйста", client_id=uuid.uuid4()
    )

    assert not Delivery.objects.filter(message=message).exists()
    assert TicketReader.objects.get(user=dana).follows
    assert Ticket.objects.visible_to(dana).filter(pk=ticket.pk).exists()


def test_one_id_for_notes_on_two_tickets_is_refused(ticket: Ticket, timur: Customer, bolat: User) -> None:
    other = wrote(timur, "Ещё вопрос").ticket
    client_id = uuid.uuid4()
    operations.note(ticket_id=ticket.pk, actor=bolat, text="Жду склад", client_id=client_id)

    with pytest.raises(operations.AnotherText):
        operations.note(ticket_id=other.pk, actor=bolat, text="Жду склад", client_id=client_id)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([upload("1.png")] * 11, "Не больше 10 файлов в одном сообщении."),
        ([upload("пусто.png", b"")], "Файл «пусто.png» пустой."),
    ],
)
def test_what_telegram_would_refuse_is_refused_in_words(
    files: list[operations.Upload], said: str, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    with pytest.raises(operations.Invalid) as refused:
        answer(ticket, aigerim, "Вот", uploads=files)
    assert (refused.value.field, str(refused.value)) == ("files", said)


def picture(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("1", (width, height)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize(
    ("sides", "kind"),
    [
        ((5000, 5000), "photo"),
        ((5001, 5000), "document"),
        ((2000, 100), "photo"),
        ((2001, 100), "document"),
        ((100, 2001), "document"),
    ],
)
def test_a_picture_telegram_takes_as_no_photo_goes_as_a_file(
    sides: tuple[int, int], kind: str, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim, "План", uploads=[upload("план.png", picture(*sides))])

    attachment = message.attachments.get()
    assert (attachment.kind, attachment.width, attachment.height) == (kind, *sides)


def test_one_that_shall_be_a_photo_all_the_same_is_refused_by_name(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    plan = operations.Upload(name="план.png", file=ContentFile(picture(100, 2001)), kind=ContentType.PHOTO)
    with pytest.raises(operations.Invalid, match=r"Картинку «план\.png» Telegram не возьмёт как фото") as refused:
        answer(ticket, aigerim, "План", uploads=[plan])
    assert refused.value.field == "mediaType"


@pytest.mark.parametrize(("over", "accepted"), [(0, True), (1, False)])
def test_a_file_may_have_as_many_bytes_as_telegram_takes(over: int, accepted: bool) -> None:
    big = upload("видео.mp4")
    big.file.size = max_upload() + over
    with nullcontext() if accepted else pytest.raises(operations.Invalid, match="50 МБ"):
        check_uploads([big])


def test_a_bot_api_server_of_ones_own_takes_bigger_ones(settings: LazySettings) -> None:
    settings.TELEGRAM_UPLOAD_MB = 2000
    big = upload("видео.mp4")
    big.file.size = 2000 * MEGABYTE
    check_uploads([big])
    big.file.size += 1
    with pytest.raises(operations.Invalid, match="больше 2000 МБ"):
        check_uploads([big])


def test_the_same_note_twice_is_one_note(ticket: Ticket, bolat: User) -> None:
    client_id = uuid.uuid4()
    first, second = (
        operations.note(ticket_id=ticket.pk, actor=bolat, text="Жду склад", client_id=client_id) for _ in range(2)
    )

    assert first == second
    assert ticket.messages.filter(text="Жду склад").count() == 1


def test_a_part_that_fails_after_another_was_decided_asks_too(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, uploads=[upload("1.png"), upload("2.png"), upload("3.png")])
    unknown(message)
    operations.mark_arrived(message_id=message.pk, actor=aigerim)

    operations.settle(delivery_id=message.pk, state=DeliveryState.FAILED, parts_sent=1, reason=Reason.TOO_BIG)

    ticket.refresh_from_db()
    assert Delivery.objects.get(pk=message.pk).needs_decision
    assert ticket.trouble == Trouble.FAILED
    repeat = operations.resend(message_id=message.pk, actor=aigerim)
    assert repeat.attachments.count() == 2


def test_a_repeat_is_answered_after_the_ticket_was_handed_over(
    ticket: Ticket, aigerim: User, bolat: User, answer: Answer
) -> None:
    client_id = uuid.uuid4()
    first = answer(ticket, aigerim, "Раз", client_id=client_id)
    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=bolat.pk)

    assert answer(ticket, aigerim, "Раз", client_id=client_id) == first
    with pytest.raises(operations.NotAllowed):
        answer(ticket, aigerim, "Два")


def test_one_id_on_two_tickets_is_not_one_reply(ticket: Ticket, timur: Customer, aigerim: User, answer: Answer) -> None:
    other = operations.take(ticket_id=wrote(timur, "Другое").ticket.pk, actor=aigerim)
    client_id = uuid.uuid4()
    answer(ticket, aigerim, "Здравствуйте!", client_id=client_id)

    with pytest.raises(operations.AnotherText):
        answer(other, aigerim, "Здравствуйте!", client_id=client_id)


def test_a_second_unsure_part_asks_again(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, uploads=[upload("1.png"), upload("2.png"), upload("3.png")])
    unknown(message)
    operations.mark_arrived(message_id=message.pk, actor=aigerim)

    unknown(message, parts_sent=1)

    ticket.refresh_from_db()
    delivery = Delivery.objects.get(pk=message.pk)
    assert delivery.needs_decision
    assert ticket.trouble == Trouble.UNKNOWN
    operations.mark_arrived(message_id=message.pk, actor=aigerim)


def test_a_reply_broken_off_after_its_first_part_can_be_finished(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Вот", uploads=[upload("1.png"), upload("2.png")])
    operations.start_sending(delivery_id=message.pk)
    operations.settle(delivery_id=message.pk, state=DeliveryState.FAILED, parts_sent=1, reason=Reason.BAD_FILE)

    rest = operations.resend(message_id=message.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert [attachment.file_name for attachment in rest.attachments.all()] == ["2.png"]
    assert ticket.trouble == Trouble.NONE
    assert ticket.waiting_since is None
    operations.withdraw(message_id=rest.pk, actor=aigerim)
    ticket.refresh_from_db()
    assert ticket.waiting_since is not None


@pytest.mark.parametrize("state", [DeliveryState.UNKNOWN, DeliveryState.HELD, DeliveryState.FAILED])
def test_a_question_whose_answer_may_not_have_come_is_not_solved(
    state: DeliveryState, ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    message = answer(ticket, aigerim, then=operations.Then.RESOLVE)
    operations.start_sending(delivery_id=message.pk)

    operations.settle(delivery_id=message.pk, state=state, parts_sent=0)

    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN
    assert ticket.assignee == aigerim
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_a_withdrawn_answer_does_not_leave_the_question_solved(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    waiting_since = ticket.waiting_since
    message = answer(ticket, aigerim, then=operations.Then.RESOLVE)

    operations.withdraw(message_id=message.pk, actor=aigerim)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.waiting_since) == (Status.OPEN, waiting_since)
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_a_customer_who_stops_the_bot_before_the_answer_comes_keeps_the_question_open(
    ticket: Ticket, timur: Customer, aigerim: User, answer: Answer
) -> None:
    answer(ticket, aigerim, then=operations.Then.RESOLVE)

    operations.customer_stopped_bot(customer=timur)

    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN
    assert ticket.trouble == Trouble.HELD
    assert ticket.waiting_since is not None


def test_an_answer_to_a_solved_question_takes_the_news_of_solving_back(
    ticket: Ticket, aigerim: User, answer: Answer
) -> None:
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)

    answer(ticket, aigerim, "Ещё одно")

    ticket.refresh_from_db()
    assert ticket.status == Status.WAITING
    assert Delivery.objects.get(message__notice=Notice.SOLVED).state == DeliveryState.CANCELLED


def test_the_customer_waits_while_the_only_answer_is_held(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    waiting_since = ticket.waiting_since
    message = answer(ticket, aigerim)

    operations.hold_stale(now=timezone.now() + timedelta(minutes=31))
    ticket.refresh_from_db()
    assert ticket.waiting_since == waiting_since

    operations.release(message_id=message.pk, actor=aigerim)
    ticket.refresh_from_db()
    assert ticket.waiting_since is None


def test_what_has_become_old_never_starts_by_itself(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Приезжайте до 18:00")
    night_ago = timezone.now() - timedelta(hours=15)
    Delivery.objects.filter(pk=message.pk).update(queued_at=night_ago, due_at=night_ago)

    assert operations.start_sending(delivery_id=message.pk) is None

    delivery = Delivery.objects.get(pk=message.pk)
    assert (delivery.state, delivery.reason) == (DeliveryState.HELD, Reason.STALE)


@pytest.mark.parametrize("text", ["почта: x@Дана Ким.kz", "@Дана Кимова, гляньте", "Дана Ким"])
def test_a_name_within_other_words_is_no_mention(text: str, ticket: Ticket, bolat: User, dana: User) -> None:
    operations.note(ticket_id=ticket.pk, actor=bolat, text=text, client_id=uuid.uuid4())

    assert not TicketReader.objects.filter(user=dana).exists()


BOLD = {"type": "bold", "offset": 0, "length": 5}


def test_formatting_is_kept_with_the_words_and_moves_with_them(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, " \r\nВажно: да\r\nнет ", entities=[{**BOLD, "offset": 3}])
    note = operations.note(ticket_id=ticket.pk, actor=aigerim, text="Важно", entities=[BOLD], client_id=uuid.uuid4())
    assert (message.text, message.entities) == ("Важно: да\nнет", [BOLD])
    assert (note.text, note.entities) == ("Важно", [BOLD])


def test_formatting_telegram_would_not_take_is_refused(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    with pytest.raises(operations.Invalid) as refusal:
        answer(ticket, aigerim, "Да", entities=[BOLD])
    assert refusal.value.field == "entities"
    assert not Message.objects.filter(author=aigerim).exists()


def test_the_same_words_looking_otherwise_are_another_text(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    client_id = uuid.uuid4()
    first = answer(ticket, aigerim, "Важно", entities=[BOLD], client_id=client_id)
    assert answer(ticket, aigerim, "Важно", entities=[BOLD], client_id=client_id) == first
    for entities in ([], [{**BOLD, "type": "italic"}]):
        with pytest.raises(operations.AnotherText):
            answer(ticket, aigerim, "Важно", entities=entities, client_id=client_id)


def test_an_edit_brings_its_own_formatting_and_keeps_the_former(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    message = answer(ticket, aigerim, "Важно", entities=[BOLD])
    operations.edit_reply(
        message_id=message.pk, actor=aigerim, text="Срочно", entities=[{"type": "italic", "offset": 0, "length": 6}]
    )
    message.refresh_from_db()
    assert message.entities == [{"type": "italic", "offset": 0, "length": 6}]
    assert message.revisions.get().entities == [BOLD]


def test_what_is_sent_again_looks_as_it_did(ticket: Ticket, aigerim: User, answer: Answer) -> None:
    whole = answer(ticket, aigerim, "Важно", entities=[BOLD])
    unknown(whole)
    assert operations.resend(message_id=whole.pk, actor=aigerim).entities == [BOLD]

    text = "\n\n".join(["я" * 3000, "ю" * 3000, "ж" * 3000])
    long = answer(ticket, aigerim, text, entities=[{"type": "bold", "offset": 2900, "length": 4000}])
    Delivery.objects.filter(message=long).update(state=DeliveryState.SENDING)
    operations.settle(delivery_id=long.pk, state=DeliveryState.UNKNOWN, parts_sent=1)
    rest = operations.resend(message_id=long.pk, actor=aigerim)
    assert rest.text == f"{'ю' * 3000}\n{'ж' * 3000}"
    assert rest.entities == [
        {"type": "bold", "offset": 0, "length": 3000},
        {"type": "bold", "offset": 3001, "length": 896},
    ]
