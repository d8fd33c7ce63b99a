"""After an outage customers hear one apology instead of receipts, and nobody hears two."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from botbridge import outages
from botbridge.inbox import claim, handle
from botbridge.models import BotStatus, Outage, Update
from botbridge.polling import polled
from botbridge.tests.conftest import BOT_ID, Line, Phone
from tickets import operations
from tickets.models import Lane, Message, Notice, Sender, Team, Topic, User

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def silent_since(moment: datetime) -> None:
    """The bot was last heard of then."""
    BotStatus.objects.update_or_create(bot_id=BOT_ID, defaults={"last_polled_at": moment})
    Update.objects.update(received_at=moment)


def back_after(silence: timedelta) -> Outage | None:
    silent_since(timezone.now() - silence)
    outage = outages.reached(BOT_ID)
    polled(BOT_ID)
    return outage


def ago(moment: timedelta) -> int:
    """A Bot API date that lies so far back."""
    return int((timezone.now() - moment).timestamp())


def apologies(phone: Phone) -> list[Message]:
    return list(Message.objects.filter(notice=Notice.APOLOGY, customer__telegram_user_id=phone.id))


# What an outage is.


@pytest.mark.parametrize(("minutes", "noticed"), [(1, False), (14, False), (16, True), (3000, True)])
def test_an_outage_is_a_silence_of_more_than_a_quarter_of_an_hour(db: None, minutes: int, noticed: bool) -> None:
    assert (back_after(timedelta(minutes=minutes)) is not None) is noticed


def test_a_bot_that_has_never_reached_telegram_was_not_away(db: None) -> None:
    assert outages.reached(BOT_ID) is None


def test_its_beginning_and_end_are_kept(db: None) -> None:
    began = timezone.now() - 2 * HOUR
    silent_since(began)
    outage = outages.reached(BOT_ID)
    assert outage is not None
    outage.refresh_from_db()
    assert abs(outage.began_at - began) < timedelta(milliseconds=1)
    assert timedelta(0) <= timezone.now() - outage.ended_at < timedelta(minutes=1)


def test_one_that_was_noted_before_the_process_died_again_is_the_same_and_longer(db: None) -> None:
    silent_since(timezone.now() - 2 * HOUR)
    assert outages.reached(BOT_ID) is not None
    Outage.objects.update(ended_at=timezone.now() - HOUR)
    outages.reached(BOT_ID)
    assert timezone.now() - Outage.objects.get().ended_at < timedelta(minutes=1)


def test_another_door_says_itself_when_telegram_was_last_there(db: None) -> None:
    silent_since(timezone.now())
    assert outages.reached(BOT_ID, last=timezone.now() - HOUR) is not None


def test_updates_that_came_by_another_door_show_that_telegram_was_there(line: Line, phone: Phone) -> None:
    silent_since(timezone.now() - 100 * HOUR)
    phone.write("Вопрос")
    assert outages.reached(BOT_ID) is None
    Update.objects.update(received_at=timezone.now() - 2 * HOUR)
    outage = outages.reached(BOT_ID)
    assert outage is not None
    assert timezone.now() - outage.began_at < 3 * HOUR


@pytest.mark.parametrize(("away", "began"), [(23, 23), (25, 0)])
def test_what_a_webhook_takes_while_the_bots_process_is_away_ends_no_outage_of_up_to_a_day(
    line: Line, phone: Phone, away: int, began: int
) -> None:
    silent_since(timezone.now() - away * HOUR)
    BotStatus.objects.update(door=BotStatus.Door.WEBHOOK)
    line.store(phone.message(text="Вопрос", date=ago(HOUR / 6)))
    for _update in range(2):
        outages.reached(BOT_ID)
    found = [round((timezone.now() - outage.began_at) / HOUR) for outage in Outage.objects.all()]
    assert found == ([began] if began else [])
    assert not any(outage.lost_until for outage in Outage.objects.all())


# What customers hear.


def test_who_wrote_meanwhile_gets_one_apology_instead_of_a_receipt(line: Line, phone: Phone) -> None:
    back_after(HOUR)
    line.take(*(phone.message(text=f"Сообщение {n}", date=ago(timedelta(minutes=50 - n))) for n in range(5)))
    (ticket,) = phone.tickets
    (said,) = phone.heard
    assert said.startswith("Извините, бот не работал с ")
    assert said.endswith(f". Ваши сообщения получены, обращение №{ticket.pk} в очереди. Повторять не нужно.")
    (apology,) = apologies(phone)
    assert apology.ticket == ticket
    assert apology.delivery.lane == Lane.RECEIPT


def test_the_times_are_those_of_the_tickets_team(line: Line, phone: Phone, team: Team) -> None:
    team.time_zone = "Europe/Lisbon"
    team.save()
    began = datetime(2026, 3, 24, 5, tzinfo=UTC)
    Outage.objects.create(bot_id=BOT_ID, began_at=began, ended_at=began + 8 * HOUR)
    line.take(phone.message(text="Где заказ?", date=int((began + HOUR).timestamp())))
    assert "с 05:00 до 13:00." in phone.heard[0]


def test_over_several_days_the_days_are_said_too(line: Line, phone: Phone, team: Team) -> None:
    zone = ZoneInfo(team.time_zone)
    began, ended = datetime(2026, 3, 23, 22, tzinfo=zone), datetime(2026, 3, 24, 8, tzinfo=zone)
    Outage.objects.create(bot_id=BOT_ID, began_at=began, ended_at=ended)
    line.take(phone.message(text="Где заказ?", date=int((began + HOUR).timestamp())))
    assert "с 23.03 22:00 до 24.03 08:00." in phone.heard[0]


def test_the_topic_is_still_asked_for(line: Line, phone: Phone, topics: list[Topic]) -> None:
    back_after(HOUR)
    line.take(phone.message(text="Не включается", date=ago(HOUR / 2)))
    assert phone.heard[0].endswith("\n\nВыберите тему, если хотите: так быстрее.")
    phone.press("Гарантия и ремонт")
    assert phone.tickets[0].topic == topics[1]


def test_who_waits_is_counted_from_telegrams_own_date(line: Line, phone: Phone) -> None:
    back_after(2 * HOUR)
    written = ago(timedelta(minutes=100))
    line.take(phone.message(text="Раз", date=written), phone.message(text="Два", date=ago(HOUR)))
    (ticket,) = phone.tickets
    assert ticket.waiting_since is not None
    assert int(ticket.waiting_since.timestamp()) == written


def test_several_questions_of_one_outage_are_apologised_for_once(line: Line, phone: Phone) -> None:
    back_after(HOUR)
    line.take(
        phone.message(text="/new Первый", date=ago(HOUR / 2)), phone.message(text="/new Второй", date=ago(HOUR / 3))
    )
    assert len(phone.tickets) == 2
    assert len(phone.heard) == 1


def test_by_webhook_everybody_who_wrote_while_the_bots_process_was_away_hears_one(
    line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    silent_since(now - 3 * HOUR)
    BotStatus.objects.update(door=BotStatus.Door.WEBHOOK)
    phones = [phone, Phone(line, id=700_002), Phone(line, id=700_003)]
    for each, minutes in zip(phones, (170, 160, 5), strict=True):
        brought_at = now - timedelta(minutes=minutes)
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda moment=brought_at: moment)
            outages.reached(BOT_ID)
            line.store(each.message(text="Вопрос", date=int(brought_at.timestamp()) - 1))
    outages.reached(BOT_ID)
    line.handle_all()
    assert [len(apologies(each)) for each in phones] == [1, 1, 1]
    assert len({each.heard[0].partition(". ")[0] for each in phones}) == 1


def test_what_is_added_to_a_ticket_whose_receipt_was_sent_goes_in_silence_as_ever(line: Line, phone: Phone) -> None:
    phone.write("Вопрос")
    receipt = phone.heard
    back_after(HOUR)
    line.take(phone.message(text="Ау?", date=ago(HOUR / 2)))
    assert phone.heard == receipt


def test_who_writes_after_the_outage_gets_a_receipt(phone: Phone) -> None:
    back_after(HOUR)
    phone.write("Вопрос", date=ago(timedelta(seconds=-2)))
    assert phone.heard == [f"Обращение №{phone.tickets[0].pk} принято. Дописывайте сюда же, менеджер увидит всё."]


def test_another_outage_is_another_apology(line: Line, phone: Phone) -> None:
    Outage.objects.create(bot_id=BOT_ID, began_at=timezone.now() - 9 * HOUR, ended_at=timezone.now() - 7 * HOUR)
    line.take(phone.message(text="/new Первый", date=ago(8 * HOUR)))
    back_after(HOUR)
    line.take(phone.message(text="/new Второй", date=ago(HOUR / 2)))
    assert len(apologies(phone)) == 2


def test_an_outage_of_another_bot_is_no_concern(line: Line, phone: Phone) -> None:
    outages.reached(BOT_ID + 1, last=timezone.now() - HOUR)
    line.take(phone.message(text="Вопрос", date=ago(HOUR / 2)))
    assert apologies(phone) == []


def test_a_muted_customer_hears_none(line: Line, phone: Phone, saule: User) -> None:
    phone.write("Вопрос")
    operations.mute_customer(customer_id=phone.customer.pk, actor=saule)
    back_after(HOUR)
    line.take(phone.message(text="/new Ещё", date=ago(HOUR / 2)))
    assert apologies(phone) == []


def test_neither_a_redelivery_nor_an_attempt_that_failed_makes_a_second(
    line: Line, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_after(HOUR)
    update = {"update_id": 1, **phone.message(text="Вопрос", date=ago(HOUR / 2))}
    line.store(update)
    claimed = claim(BOT_ID)
    assert claimed is not None
    with monkeypatch.context() as patch:
        patch.setattr("botbridge.inbox.crash.at", lambda _point: 1 / 0)
        handle(claimed, line.bot, line.dispatcher)
    assert phone_heard_nothing(phone)
    line.skip_waiting()
    line.handle_all()
    line.take({**update, "update_id": 1})
    Update.objects.update(state=Update.State.STORED)
    line.handle_all()
    assert len(apologies(phone)) == 1


def phone_heard_nothing(phone: Phone) -> bool:
    return not Message.objects.filter(sender=Sender.SYSTEM, customer__telegram_user_id=phone.id).exists()
