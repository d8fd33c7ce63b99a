import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Customer, Delivery, DeliveryState, Priority, Ticket, User, View
from tickets.pages.queue import PAGE, Cursor

QUEUE = reverse("tickets:queue")


def customer(number: int) -> Customer:
    return Customer.objects.create(telegram_user_id=800_000 + number, name=f"Клиент {number}")


def waiting(number: int, *, minutes: int) -> Ticket:
    return wrote(customer(number), f"Вопрос {number}", sent_at=timezone.now() - timedelta(minutes=minutes)).ticket


def rows(answer) -> list[int]:
    queue = answer.context["queue"]
    return [row.ticket.pk for row in (*queue.waiting, *queue.resting)]


def test_signing_in_comes_first(client):
    assert client.get(QUEUE).url.startswith(reverse("tickets:login"))


def test_the_longest_waiting_stands_first(desk, bolat):
    late, early = waiting(1, minutes=3), waiting(2, minutes=40)
    answer = desk(bolat).get(QUEUE, {"view": "free"})
    assert rows(answer) == [early.pk, late.pk]
    assert "ждёт 40\u00a0мин" in answer.text


def test_those_who_wait_for_us_stand_before_those_we_wait_for(desk, aigerim, ticket, answer):
    answer(ticket, aigerim)
    mine = waiting(1, minutes=1)
    operations.take(ticket_id=mine.pk, actor=aigerim)
    assert rows(desk(aigerim).get(QUEUE)) == [mine.pk, ticket.pk]


@pytest.mark.parametrize("view", View.values)
def test_each_view_holds_its_tickets_and_counts_them(desk, aigerim, bolat, ticket, view):
    free, colleagues, later = (waiting(number, minutes=number) for number in (1, 2, 3))
    operations.take(ticket_id=colleagues.pk, actor=bolat)
    operations.take(ticket_id=later.pk, actor=aigerim)
    operations.snooze(ticket_id=later.pk, actor=aigerim, until=timezone.now() + timedelta(hours=1))
    expected = {
        "mine": {ticket.pk},
        "free": {free.pk},
        "all": {ticket.pk, free.pk, colleagues.pk},
        "later": {later.pk},
    }
    answer = desk(aigerim).get(QUEUE, {"view": view})
    assert set(rows(answer)) == expected[view]
    assert {tab.view.value: tab.count for tab in answer.context["queue"].tabs} == {
        name: len(held) for name, held in expected.items()
    }


def test_an_unknown_view_and_cursor_show_the_beginning(desk, aigerim, ticket):
    answer = desk(aigerim).get(QUEUE, {"view": "чужая", "after": "w-99999999999999999999999-x"})
    assert rows(answer) == [ticket.pk]


def test_a_stranger_sees_none_of_it(desk, dana, ticket):
    assert rows(desk(dana).get(QUEUE, {"view": "all"})) == []


def test_solved_tickets_leave_the_queue(desk, aigerim, ticket):
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    answer = desk(aigerim).get(QUEUE)
    assert rows(answer) == []
    assert "У вас нет открытых обращений." in answer.text


def test_a_row_tells_unread_priority_draft_and_trouble(desk, aigerim, ticket):
    operations.set_priority(ticket_id=ticket.pk, actor=aigerim, priority=Priority.URGENT)
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Проверьте пита")
    text = desk(aigerim).get(QUEUE).text
    assert "1 новое сообщение" in text
    assert "Срочно" in text
    assert "Черновик:" in text
    assert "Проверьте пита" in text


@pytest.mark.parametrize(("state", "signal"), [("unknown", "Могло не дойти"), ("failed", "Не доставлено")])
def test_a_solved_tickets_row_names_both_its_status_and_its_trouble(desk, aigerim, ticket, answer, state, signal):
    reply = answer(ticket, aigerim, then=operations.Then.RESOLVE)
    Delivery.objects.filter(pk=reply.pk).update(state=DeliveryState.SENDING)
    operations.settle(delivery_id=reply.pk, state=DeliveryState(state), parts_sent=0)
    Ticket.objects.filter(pk=ticket.pk).update(status="resolved", waiting_since=None, resolved_at=timezone.now())
    row = desk(aigerim).get(reverse("tickets:row", args=[ticket.pk])).text
    assert re.search(rf'class="solved">.*?Решено</span>.*?{signal}', row)


def test_the_answered_stand_under_their_own_heading(desk, aigerim, ticket, answer):
    answer(ticket, aigerim)
    text = desk(aigerim).get(QUEUE).text
    assert text.index("Ответ дан") < text.index(f'id="row-{ticket.pk}"')


def test_a_ticket_at_work_names_no_status_in_its_row(desk, aigerim, ticket):
    assert 'class="solved"' not in desk(aigerim).get(QUEUE).text


def test_the_queue_follows_what_its_reader_may_see(desk, dana, bolat, saule, team):
    """How it is asked for is remembered, but for this person as they are now."""
    free = waiting(1, minutes=3).pk

    def shown(user: User) -> tuple[list[int], str]:
        answer = desk(user).get(QUEUE, {"view": "all"})
        return rows(answer), next(tab.count_label for tab in answer.context["queue"].tabs if tab.view == View.ALL)

    assert shown(bolat) == ([free], "1")
    assert shown(dana) == ([], "0")
    team.members.add(dana)
    assert shown(dana) == ([free], "1")
    team.members.set([])
    assert shown(dana) == shown(bolat) == ([], "0")
    bolat.groups.set(saule.groups.all())
    assert shown(bolat) == ([free], "1")


def test_foreign_words_are_only_words(desk, bolat):
    evil = Customer.objects.create(telegram_user_id=5, name="<script>alert(1)</script>")
    wrote(evil, '"><img src=x onerror=alert(1)>')
    text = desk(bolat).get(QUEUE, {"view": "free"}).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_pages_follow_one_another_without_gap_or_repeat(desk, bolat, aigerim):
    for number in range(PAGE + 10):
        ticket = waiting(number, minutes=number)
        if number % 2:
            operations.take(ticket_id=ticket.pk, actor=aigerim)
            Ticket.objects.filter(pk=ticket.pk).update(waiting_since=None)
    client, seen, cursor = desk(bolat), [], ""
    for _page in range(2):
        answer = client.get(QUEUE, {"view": "all", "after": cursor})
        seen += rows(answer)
        cursor = str(answer.context["queue"].next_cursor or "")
    assert cursor == ""
    assert len(seen) == len(set(seen)) == PAGE + 10
    assert set(seen) == set(Ticket.objects.values_list("pk", flat=True))


def test_a_cursor_survives_its_own_writing():
    cursor = Cursor(True, timezone.now(), 1234)
    assert Cursor.parse(str(cursor)) == cursor


def test_a_further_page_for_htmx_is_rows_alone(htmx, bolat):
    for number in range(PAGE + 1):
        waiting(number, minutes=number)
    client = htmx(bolat)
    cursor = client.get(QUEUE, {"view": "free"}).context["queue"].next_cursor
    text = client.get(QUEUE, {"view": "free", "after": str(cursor)}).text
    assert text.count('class="row"') == 1
    assert "queue-head" not in text


def test_an_unchanged_queue_is_not_sent_again(htmx, aigerim, ticket):
    client = htmx(aigerim)
    fingerprint = client.get(QUEUE).context["queue"].fingerprint
    assert client.get(QUEUE, {"v": fingerprint}).status_code == 204
    wrote(ticket.customer, "Ещё", ticket=ticket)
    assert client.get(QUEUE, {"v": fingerprint}).status_code == 200


def test_an_unchanged_queue_is_sent_again_when_its_day_is_over(htmx, clock, midnight, aigerim, ticket, answer):
    answer(ticket, aigerim)
    client = htmx(aigerim)
    fingerprint = client.get(QUEUE).context["queue"].fingerprint
    clock(midnight - timedelta(seconds=1))
    assert client.get(QUEUE, {"v": fingerprint}).status_code == 204
    clock(midnight)
    fresh = client.get(QUEUE, {"v": fingerprint})
    assert ">вчера</time>" in fresh.text
    assert client.get(QUEUE, {"v": fresh.context["queue"].fingerprint}).status_code == 204


def test_each_teams_day_ends_by_its_own_clock(htmx, clock, midnight, aigerim, ticket, other_team):
    other_team.members.add(aigerim)
    other_team.time_zone = "Asia/Tokyo"
    other_team.save()
    far = waiting(1, minutes=3)
    Ticket.objects.filter(pk=far.pk).update(team=other_team)
    client = htmx(aigerim)
    queue = client.get(QUEUE, {"view": "all"}).context["queue"]
    assert len(queue.day_ends) == 2
    assert midnight in queue.day_ends
    clock(queue.day_ends[0])
    assert client.get(QUEUE, {"view": "all", "v": queue.fingerprint}).status_code == 200


def test_the_view_chosen_beside_an_open_ticket_stands_in_its_address(htmx, aigerim, ticket):
    address = reverse("tickets:ticket", args=[ticket.pk])
    headers = {"HX-Current-URL": f"http://testserver{address}?view=mine"}
    answer = htmx(aigerim).get(QUEUE, {"view": "all"}, headers=headers)
    assert answer.headers["HX-Push-Url"] == f"{address}?view=all"
    assert 'aria-current="true"' in answer.text


def test_not_all_replies_are_called_sent_while_one_waits_for_a_decision(desk, aigerim, ticket, answer):
    message = answer(ticket, aigerim)
    client = desk(aigerim)
    assert "Все ответы отправлены" in client.get(QUEUE).text
    operations.start_sending(delivery_id=message.pk)
    operations.settle(delivery_id=message.pk, state=DeliveryState.UNKNOWN, parts_sent=0)
    text = client.get(QUEUE).text
    assert "Все ответы отправлены" not in text
    assert "1 ответ ждёт решения" in text


def test_take_next_opens_the_longest_waiting(desk, bolat):
    waiting(1, minutes=3)
    early = waiting(2, minutes=40)
    answer = desk(bolat).post(reverse("tickets:take-next"))
    assert answer.url == reverse("tickets:ticket", args=[early.pk])
    early.refresh_from_db()
    assert early.assignee == bolat


def test_a_double_press_of_take_next_takes_one_ticket(desk, bolat, timur):
    for number in range(3):
        wrote(timur, f"Вопрос {number}")
    client = desk(bolat)

    def press(page):
        client_id = re.search(r'take-next/">.*?name="client_id" value="([^"]+)"', page)[1]
        return client.post(reverse("tickets:take-next"), {"client_id": client_id}).url

    first_page = client.get(reverse("tickets:queue")).text
    assert press(first_page) == press(first_page)
    assert press(client.get(reverse("tickets:queue")).text) != press(first_page)


def test_take_next_says_when_there_is_nothing(desk, bolat):
    answer = desk(bolat).post(reverse("tickets:take-next"), follow=True)
    assert "Свободных обращений сейчас нет." in answer.text


@pytest.mark.parametrize(("name", "method"), [("queue", "post"), ("take-next", "get")])
def test_the_wrong_method_is_refused(desk, bolat, name, method):
    assert getattr(desk(bolat), method)(reverse(f"tickets:{name}")).status_code == 405
