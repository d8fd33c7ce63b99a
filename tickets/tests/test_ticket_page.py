import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Message, Notice, Team, Topic
from tickets.operations import Incoming, IncomingFile
from tickets.pages.conversation import PAGE


def page(ticket, **query) -> str:
    return reverse("tickets:ticket", args=[ticket.pk], query=query or None)


def received(ticket, **values):
    incoming = Incoming(**{"sent_at": timezone.now(), **values})
    return operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message


def log(text: str) -> str:
    return text[text.index('id="log-list"') : text.index('id="reply"')]


def bubbles(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li class="(?:msg|note|said)[^"]*" id="m(\d+)"', log(text))]


def test_everyone_of_the_team_reads_it(desk, bolat, ticket):
    text = desk(bolat).get(page(ticket)).text
    assert "Здравствуйте! Не включается ноутбук." in text
    assert "Отвечает Айгерим Сатпаева." in text


def test_a_stranger_gets_404(desk, dana, ticket):
    answer = desk(dana).get(page(ticket))
    assert answer.status_code == 404
    assert "Не включается" not in answer.text


@pytest.mark.parametrize(
    "name", ["messages", "head", "panel", "panel-rest", "state", "row", "peer", "assignees", "topics", "tags"]
)
def test_each_part_of_it_is_hidden_from_a_stranger(desk, dana, aigerim, ticket, name):
    address = reverse(f"tickets:{name}", args=[ticket.pk])
    assert desk(dana).get(address).status_code == 404
    assert desk(aigerim).get(address).status_code == 200
    assert desk(aigerim).post(address).status_code == 405


def test_htmx_gets_the_sheet_alone(htmx, aigerim, ticket):
    text = htmx(aigerim).get(page(ticket)).text
    assert "<html" not in text
    assert 'id="queue"' not in text
    assert 'id="log-list"' in text


def test_going_back_in_history_gets_the_whole_page(htmx, aigerim, ticket):
    answer = htmx(aigerim).get(page(ticket), headers={"HX-History-Restore-Request": "true"})
    assert "<html" in answer.text


def test_messages_stand_in_order_with_history_between(desk, aigerim, ticket, answer):
    answer(ticket, aigerim, "Проверьте зарядку")
    wrote(ticket.customer, "Проверил, нет", ticket=ticket)
    text = log(desk(aigerim).get(page(ticket)).text)
    order = ["Обращение из Telegram", "Не включается ноутбук", "Взято в работу", "Проверьте зарядку", "Проверил, нет"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_the_author_of_a_colleagues_reply_is_named_and_ones_own_is_not(desk, aigerim, saule, ticket, answer):
    answer(ticket, aigerim, "Ответ")
    assert "Айгерим Сатпаева</p>" not in log(desk(aigerim).get(page(ticket)).text)
    assert '<p class="by">Айгерим Сатпаева</p>' in log(desk(saule).get(page(ticket)).text)


def test_new_messages_stand_below_a_line(desk, aigerim, ticket):
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=ticket.last_message_id)
    wrote(ticket.customer, "Вы тут?", ticket=ticket)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert text.index("Новые сообщения") < text.index("Вы тут?")


def test_an_edited_message_keeps_what_it_said(desk, aigerim, ticket):
    message = received(ticket, text="Серийный номер 1")
    operations.revise(message=message, text="Серийный номер 2", entities=[], edited_at=timezone.now())
    text = log(desk(aigerim).get(page(ticket)).text)
    assert "Серийный номер 2" in text
    assert 'title="Было: Серийный номер 1"' in text


def test_everything_an_edited_message_said_can_be_read(desk, htmx, aigerim, dana, ticket):
    message = received(ticket, text="Заказ 1")
    for text in ("Заказ 2 <b>", "Заказ 3"):
        operations.revise(message=message, text=text, entities=[], edited_at=timezone.now())
    address = reverse("tickets:former", args=[ticket.pk, message.pk])
    assert f'href="{address}"' in log(desk(aigerim).get(page(ticket)).text)
    for client in (desk(aigerim), htmx(aigerim)):
        text = client.get(address).text
        assert text.index("Заказ 1") < text.index("Заказ 2 &lt;b&gt;")
        assert "Заказ 3" not in text
    assert desk(dana).get(address).status_code == 404


def test_what_any_of_an_albums_captions_said_can_be_read(desk, aigerim, ticket):
    photos = [photo(ticket) for _ in range(2)]
    for each in photos:
        for words in (f"Было {each.pk}", f"Стало {each.pk}"):
            operations.revise(message=each, text=words, entities=[], edited_at=timezone.now())
    text = desk(aigerim).get(reverse("tickets:former", args=[ticket.pk, photos[1].pk])).text
    assert all(f"Было {each.pk}" in text for each in photos)


def test_an_album_is_one_bubble_whose_every_message_can_be_found(desk, aigerim, ticket):
    photos = [
        received(
            ticket,
            content_type="photo",
            text="Коробка" if number == 0 else "",
            media_group_id="a1",
            files=[IncomingFile(kind="photo", width=30, height=20)],
        )
        for number in range(3)
    ]
    text = log(desk(aigerim).get(page(ticket)).text)
    assert text.count("Коробка") == 1
    assert bubbles(text + 'id="reply"').count(photos[0].pk) == 1
    assert all(f'id="m{photo.pk}"' in text for photo in photos)
    assert f'data-message="{photos[-1].pk}"' in text


def test_an_edit_of_any_of_an_albums_captions_is_told(desk, aigerim, ticket):
    photos = [photo(ticket) for _ in range(2)]
    operations.revise(message=photos[1], text="Сбоку", entities=[], edited_at=timezone.now())
    operations.revise(message=photos[1], text="Сзади", entities=[], edited_at=timezone.now())
    assert 'title="Было: Сбоку">изменено</a>' in log(desk(aigerim).get(page(ticket)).text)


def photo(ticket):
    return received(
        ticket, content_type="photo", media_group_id="a1", files=[IncomingFile(kind="photo", file_name="снимок")]
    )


@pytest.fixture
def interleaved(ticket, aigerim, answer):
    """An album whose parts the bot's receipt, the customer's words and a reply came between, and these messages."""
    first = photo(ticket)
    receipt = operations.say(customer=ticket.customer, notice=Notice.RECEIPT, text="Обращение принято", ticket=ticket)
    second = photo(ticket)
    words = received(ticket, text="Это коробка")
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    reply = answer(ticket, aigerim, "Вижу")
    return [first, receipt, second, words, reply, photo(ticket)]


def test_an_album_stays_one_bubble_whatever_came_between_its_parts(desk, aigerim, ticket, interleaved):
    first, receipt, second, words, reply, third = interleaved
    text = log(desk(aigerim).get(page(ticket)).text)
    assert text.count("data-album=") == 1
    assert bubbles(text + 'id="reply"') == [ticket.opened_by_id, first.pk, receipt.pk, words.pk, reply.pk]
    places = [text.index(f'id="m{message.pk}"') for message in (first, second, third, receipt, words)]
    assert places == sorted(places)
    assert text.count("снимок") == 3
    assert text.index("Это коробка") < text.index("замена") < text.index("Вижу")


def test_any_part_of_an_album_is_its_whole_bubble(desk, htmx, aigerim, ticket, interleaved):
    first, _receipt, second, _words, _reply, third = interleaved
    client = htmx(aigerim)
    texts = {client.get(reverse("tickets:message", args=[ticket.pk, part.pk])).text for part in (first, second, third)}
    (text,) = texts
    assert f'id="m{first.pk}" data-message="{third.pk}"' in text
    assert text.count("снимок") == 3
    assert text.strip() in desk(aigerim).get(page(ticket)).text


def test_later_parts_of_an_album_come_to_an_open_page_alone_and_marked_as_its(htmx, aigerim, ticket, interleaved):
    first, receipt, second, words, reply, third = interleaved
    client, address = htmx(aigerim), reverse("tickets:messages", args=[ticket.pk])
    text = client.get(address, {"after": receipt.pk}).text
    assert f'id="m{second.pk}" data-message="{third.pk}" data-album="a1"' in text
    assert f'id="m{first.pk}"' not in text
    assert text.count("снимок") == 2
    assert bubbles('id="log-list"' + text + 'id="reply"') == [second.pk, words.pk, reply.pk]
    everything = client.get(address, {"after": ticket.opened_by_id}).text
    assert everything.count("data-album=") == 1
    assert everything.count("снимок") == 3
    assert client.get(address, {"after": third.pk, "event": ticket.events.last().pk}).status_code == 204


@pytest.mark.parametrize(("name", "status"), [("priority", 200), ("resolve", 409)])
def test_the_answer_to_an_act_shows_a_grown_album_anew(htmx, aigerim, ticket, interleaved, name, status):
    first, receipt, *_rest, third = interleaved
    seen = third.pk if status == 200 else receipt.pk
    values = {"seen": seen, "after": receipt.pk, "event": ticket.events.last().pk, "priority": "4"}
    answer = htmx(aigerim).post(reverse(f"tickets:{name}", args=[ticket.pk]), values)
    assert answer.status_code == status
    partial = rf'<hx-partial hx-target="#m{first.pk}" hx-swap="outerHTML">(.*?)</hx-partial>'
    renewed = re.search(partial, answer.text, re.DOTALL)
    assert renewed is not None
    assert renewed[1].count("снимок") == 3


def test_albums_of_two_senders_are_two(desk, aigerim, ticket, answer):
    first, reply = photo(ticket), answer(ticket, aigerim, "Вижу")
    Message.objects.filter(pk=reply.pk).update(media_group_id=first.media_group_id)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert bubbles(text + 'id="reply"') == [ticket.opened_by_id, first.pk, reply.pk]


def test_no_page_begins_amidst_an_album(desk, aigerim, ticket):
    before = [received(ticket, text=f"Раньше {number}") for number in range(3)]
    album = [photo(ticket), received(ticket, text="Это коробка"), photo(ticket)]
    after = [received(ticket, text=f"Потом {number}") for number in range(PAGE - 1)]
    client = desk(aigerim)
    latest = client.get(page(ticket))
    older = client.get(page(ticket, before=latest.context["page"].conversation.older_than))
    assert bubbles(latest.text) == [message.pk for message in (*album[:2], *after)]
    assert bubbles(older.text) == [ticket.opened_by_id, *(message.pk for message in before)]


def test_a_new_part_of_an_album_already_read_is_told_as_new(desk, aigerim, ticket):
    first = photo(ticket)
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=first.pk)
    photo(ticket)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert text.index("Не включается") < text.index("Новые сообщения") < text.index(f'id="m{first.pk}"')


def test_words_quoted_from_elsewhere_are_shown_without_a_link(desk, aigerim, ticket):
    received(ticket, text="Вот это", quote_text="Доставим <завтра>")
    text = log(desk(aigerim).get(page(ticket)).text)
    assert re.search(r'<div class="quote">.*?Доставим &lt;завтра&gt;', text)
    assert 'class="quote" href' not in text


@pytest.mark.parametrize(
    ("kind", "name"),
    [("sticker", "Стикер"), ("location", "Геопозиция"), ("poll", "Опрос"), ("giveaway", "Розыгрыш"), ("orb", "orb")],
)
def test_every_kind_of_message_is_visible_and_named(desk, aigerim, ticket, kind, name):
    message = received(ticket, content_type=kind)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert re.search(rf'id="m{message.pk}".*?{name}', text, re.DOTALL)


@pytest.mark.parametrize(
    ("kind", "words", "place"),
    [
        ("location", "43.24, 76.95", "mlat=43.24&amp;mlon=76.95"),
        ("venue", "Склад\nул. Абая, 1\n-43.24, 176.95", "mlat=-43.24&amp;mlon=176.95"),
        ("location", "", None),
        ("text", "43.24, 76.95", None),
    ],
)
def test_a_place_is_a_link_to_a_map(desk, aigerim, ticket, kind, words, place):
    received(ticket, content_type=kind, text=words)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert ("Открыть на карте" in text) is (place is not None)
    assert place is None or place in text


def test_a_live_location_tells_until_when_it_moves_and_when_it_last_did(desk, aigerim, ticket):
    began = datetime(2026, 9, 12, 4, 30, tzinfo=UTC)
    until = began + timedelta(hours=1)
    live = received(ticket, content_type="location", text="43.24, 76.95", sent_at=began, live_until=until)
    assert "Живая геопозиция до 10:30, точка на 09:30" in log(desk(aigerim).get(page(ticket)).text)
    moved_at = began + timedelta(minutes=20)
    operations.move_place(message=live, text="43.26, 76.95", live_until=until, placed_at=moved_at)
    text = log(desk(aigerim).get(page(ticket)).text)
    assert "Живая геопозиция до 10:30, точка на 09:50" in text
    assert "mlat=43.26" in text


def test_a_live_location_without_an_end_names_none(desk, aigerim, ticket):
    began = datetime(2026, 9, 12, 4, 30, tzinfo=UTC)
    forever = began + timedelta(seconds=0x7FFFFFFF)
    received(ticket, content_type="location", text="43.24, 76.95", sent_at=began, live_until=forever)
    assert "Живая геопозиция, точка на 09:30" in log(desk(aigerim).get(page(ticket)).text)


def test_who_said_first_what_is_passed_on_is_named(desk, aigerim, ticket):
    received(ticket, text="Заказ отправлен", forwarded_from="Магазин <b>")
    assert "Переслано от: Магазин &lt;b&gt;" in log(desk(aigerim).get(page(ticket)).text)


@pytest.mark.parametrize(("answered", "label"), [(True, "изменено после ответа"), (False, "изменено")])
def test_an_edit_says_whether_it_came_after_the_answer(desk, aigerim, ticket, answer, answered, label):
    message = received(ticket, text="Синяя")
    if answered:
        answer(ticket, aigerim, "Синей нет")
    operations.revise(message=message, text="Красная", entities=[], edited_at=timezone.now())
    assert f'title="Было: Синяя">{label}</a>' in log(desk(aigerim).get(page(ticket)).text)


def test_a_picture_of_an_album_that_nobody_could_read_is_named_beside_the_others(desk, aigerim, ticket):
    for files in ([IncomingFile(kind="photo")], []):
        received(ticket, content_type="photo", media_group_id="7", files=files)
    shown = log(desk(aigerim).get(page(ticket)).text)
    assert re.search(r'<p class="kind">.*?Фото</p>', shown)


def test_the_bots_own_words_are_shown(desk, aigerim, ticket):
    operations.say(customer=ticket.customer, notice=Notice.RECEIPT, text="Обращение принято", ticket=ticket)
    assert "<b>Бот:</b>" in log(desk(aigerim).get(page(ticket)).text)


def test_foreign_words_are_only_words(desk, aigerim, ticket):
    message = received(
        ticket,
        text="</div><script>alert(1)</script>",
        entities=[{"type": "text_link", "offset": 0, "length": 5, "url": "javascript:alert(1)"}],
        quote_text="<b>x",
        quote=Message.objects.get(pk=ticket.opened_by_id),
    )
    text = log(desk(aigerim).get(page(ticket)).text)
    assert f'id="m{message.pk}"' in text
    assert "<script>" not in text
    assert "javascript:" not in text
    assert "<b>x" not in text


def test_older_messages_come_page_by_page_without_a_script(desk, aigerim, ticket):
    for number in range(PAGE + 5):
        received(ticket, text=f"Сообщение {number}")
    client = desk(aigerim)
    latest = client.get(page(ticket))
    older_than = latest.context["page"].conversation.older_than
    assert f"?before={older_than}" in latest.text
    older = client.get(page(ticket, before=older_than))
    everything = bubbles(older.text) + bubbles(latest.text)
    assert everything == list(ticket.messages.order_by("pk").values_list("pk", flat=True))


def test_older_lines_for_htmx_bring_their_own_continuation(htmx, aigerim, ticket):
    for number in range(PAGE * 2 + 5):
        received(ticket, text=f"Сообщение {number}")
    client = htmx(aigerim)
    before = client.get(page(ticket)).context["page"].conversation.older_than
    text = client.get(reverse("tickets:messages", args=[ticket.pk]), {"before": before}).text
    assert text.count('<li class="msg') == PAGE
    assert 'id="older"' in text


def test_lines_after_the_last_one_shown(htmx, aigerim, ticket, answer):
    client, address = htmx(aigerim), reverse("tickets:messages", args=[ticket.pk])
    last = ticket.last_message_id
    event = ticket.events.order_by("-pk").first().pk
    assert client.get(address, {"after": last, "event": event}).status_code == 204
    operations.add_tag(ticket_id=ticket.pk, actor=aigerim, name="замена")
    message = received(ticket, text="И ещё")
    text = client.get(address, {"after": last, "event": event}).text
    assert text.index("замена") < text.index(f'id="m{message.pk}"')
    assert f'id="m{last}"' not in text


@pytest.mark.parametrize("name", ["head", "panel", "state"])
def test_an_unchanged_part_is_not_sent_again(htmx, aigerim, ticket, name):
    client, address = htmx(aigerim), reverse(f"tickets:{name}", args=[ticket.pk])
    ticket.refresh_from_db()
    version = client.get(page(ticket)).context["page"].version
    assert client.get(address, {"v": version}).status_code == 204
    operations.set_topic(ticket_id=ticket.pk, actor=aigerim, topic_id=Topic.objects.create(name="Ремонт").pk)
    assert client.get(address, {"v": version}).status_code == 200


@pytest.mark.parametrize("name", ["head", "panel", "state"])
def test_an_unchanged_part_is_sent_again_when_the_day_is_over(htmx, clock, midnight, aigerim, ticket, name):
    client, address = htmx(aigerim), reverse(f"tickets:{name}", args=[ticket.pk])
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=midnight + timedelta(hours=9))
    opened = client.get(page(ticket))
    assert "Отложено до: завтра в 09:00" in opened.text
    version = opened.context["page"].version
    clock(midnight - timedelta(seconds=1))
    assert client.get(address, {"v": version}).status_code == 204
    clock(midnight)
    fresh = client.get(address, {"v": version})
    assert fresh.status_code == 200
    assert "завтра в" not in fresh.text
    assert client.get(address, {"v": client.get(page(ticket)).context["page"].version}).status_code == 204


def test_history_names_the_day_a_ticket_was_to_come_back(desk, clock, midnight, aigerim, ticket):
    """It is read on other days too, and on pages that stay open."""
    operations.snooze(ticket_id=ticket.pk, actor=aigerim, until=midnight + timedelta(hours=9))
    client = desk(aigerim)
    line = re.search(r"Отложено, вернётся:.*?</span>", client.get(page(ticket)).text)[0]
    assert re.search(r"\b\d\d? \w+ в 09:00", line)
    clock(midnight)
    assert line in client.get(page(ticket)).text


def test_colleagues_who_write_are_named_to_each_other(htmx, aigerim, bolat, ticket):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Сейчас отвечу")
    address = reverse("tickets:peer", args=[ticket.pk])
    assert "Айгерим Сатпаева" in htmx(bolat).get(address).text
    assert "Айгерим Сатпаева" not in htmx(aigerim).get(address).text
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    assert "Айгерим Сатпаева" not in htmx(bolat).get(address).text


def test_a_cleared_draft_is_no_draft_but_says_when_it_was_cleared(desk, clock, midnight, aigerim, ticket):
    quote_id = ticket.opened_by_id
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Проверьте", is_note=True, quote_id=quote_id)
    clock(midnight)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="")
    opened = desk(aigerim).get(page(ticket))
    composer = opened.context["page"].composer
    assert (composer.text, composer.is_note, composer.quote) == ("", False, None)
    assert opened.context["page"].written_at == midnight
    assert "Черновик:" not in opened.text


def test_a_draft_comes_back_with_the_page(desk, aigerim, ticket):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Проверьте <кабель>", quote_id=ticket.opened_by_id)
    text = desk(aigerim).get(page(ticket)).text
    assert "Проверьте &lt;кабель&gt;</textarea>" in text
    assert f'name="quote" value="{ticket.opened_by_id}"' in text


def test_quoting_works_without_a_script(desk, aigerim, ticket):
    text = desk(aigerim).get(page(ticket, quote=ticket.opened_by_id)).text
    assert f'name="quote" value="{ticket.opened_by_id}"' in text


def test_a_message_of_another_ticket_cannot_be_quoted(desk, aigerim, ticket, timur):
    other = wrote(timur, "Другой вопрос").message
    assert 'name="quote"' not in desk(aigerim).get(page(ticket, quote=other.pk)).text


def test_times_are_those_of_the_tickets_team(desk, aigerim, ticket):
    Team.objects.filter(pk=ticket.team_id).update(time_zone="America/Lima")
    Message.objects.filter(pk=ticket.opened_by_id).update(sent_at="2026-03-10T12:00:00Z")
    assert ">07:00</time>" in log(desk(aigerim).get(page(ticket)).text)


def test_the_customers_other_visible_tickets_are_listed(desk, aigerim, timur, ticket, other_team):
    mine = wrote(timur, "Второй вопрос").ticket
    hidden = wrote(timur, "Вопрос другой команде").ticket
    hidden.team = other_team
    hidden.save()
    text = desk(aigerim).get(page(ticket)).text
    assert "Второй вопрос" in text
    assert page(mine) in text
    assert "Вопрос другой команде" not in text


def test_the_phone_is_masked(desk, aigerim, ticket):
    operations.set_customer_phone(customer=ticket.customer, phone="+77071234567", verified=True)
    text = desk(aigerim).get(page(ticket)).text
    assert "+77071234567" not in text
    assert "•••" in text


def test_a_solved_ticket_says_so(desk, aigerim, ticket):
    solved = operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    client = desk(aigerim)
    assert reverse("tickets:undo", args=[ticket.pk]) in client.get(page(ticket)).text
    solved.resolved_at = timezone.now() - timedelta(minutes=1)
    solved.save()
    text = client.get(page(ticket)).text
    assert "Решено сегодня" in text
    assert reverse("tickets:undo", args=[ticket.pk]) not in text
    assert reverse("tickets:reopen", args=[ticket.pk]) in text


def test_a_customer_who_stopped_the_bot_is_announced(desk, aigerim, ticket):
    operations.customer_stopped_bot(customer=ticket.customer)
    assert "Клиент остановил бота" in desk(aigerim).get(page(ticket)).text


@pytest.mark.parametrize("value", ["x", "-1", "0", "9" * 40, "1e3", ""])
def test_nonsense_in_the_address_shows_the_page_as_it_is(desk, aigerim, ticket, value):
    for name in ("before", "quote", "edit"):
        assert desk(aigerim).get(page(ticket, **{name: value})).status_code == 200


def queries_of(client, ticket) -> int:
    with CaptureQueriesContext(connection) as asked:
        client.get(page(ticket))
    return len(asked)


def test_places_and_quotes_of_what_has_no_words_cost_no_query_each(desk, aigerim, ticket):
    client = desk(aigerim)

    def come() -> None:
        until = timezone.now() + timedelta(hours=1)
        received(ticket, content_type="location", text="43.24, 76.95", live_until=until)
        die = received(ticket, content_type="dice", text="")
        received(ticket, text="Это", quote=die)

    come()
    client.get(page(ticket))  # what every page says of the bot is remembered for a while
    before = queries_of(client, ticket)
    for _time in range(3):
        come()
    assert queries_of(client, ticket) == before


def test_a_live_location_that_had_no_end_tells_when_it_ended(desk, aigerim, ticket):
    began = datetime(2026, 9, 12, 4, 30, tzinfo=UTC)
    values = {"sent_at": began, "live_until": began + timedelta(seconds=0x7FFFFFFF)}
    live = received(ticket, content_type="location", text="43.24, 76.95", **values)
    ended_at = began + timedelta(days=2, hours=1)
    operations.move_place(message=live, text="43.26, 76.95", live_until=ended_at, placed_at=ended_at)
    assert "Живая геопозиция до 10:30, точка на 10:30" in log(desk(aigerim).get(page(ticket)).text)
