import re
import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Draft, Message, Sender, Status

PDF = b"%PDF-1.4 " + b"x" * 100


def address(ticket, name="reply") -> str:
    return reverse(f"tickets:{name}", args=[ticket.pk])


def words(ticket, text="Проверьте зарядку", **more):
    ticket.refresh_from_db()
    return {"text": text, "kind": "reply", "client_id": str(uuid.uuid4()), "seen": ticket.last_message_id, **more}


def replies(ticket):
    return list(ticket.messages.filter(sender=Sender.MANAGER))


def test_a_reply_is_written_and_the_page_shown_again(desk, aigerim, ticket):
    answer = desk(aigerim).post(address(ticket), words(ticket), follow=True)
    assert answer.redirect_chain[0][0] == address(ticket, "ticket")
    assert "Проверьте зарядку" in answer.text
    assert [message.text for message in replies(ticket)] == ["Проверьте зарядку"]


def test_a_reply_to_a_free_ticket_takes_it(desk, bolat, free_ticket):
    desk(bolat).post(address(free_ticket), words(free_ticket))
    free_ticket.refresh_from_db()
    assert free_ticket.assignee == bolat


@pytest.mark.parametrize("name", ["reply", "note"])
def test_a_note_reaches_the_team_alone(desk, aigerim, ticket, name):
    desk(aigerim).post(address(ticket, name), words(ticket, "Склад закрыт", kind="note"))
    note = Message.objects.get(text="Склад закрыт")
    assert note.sender == Sender.NOTE
    assert not hasattr(note, "delivery")


def test_a_stranger_gets_404_and_a_colleague_403(desk, dana, bolat, ticket):
    assert desk(dana).post(address(ticket), words(ticket)).status_code == 404
    answer = desk(bolat).post(address(ticket), words(ticket))
    assert answer.status_code == 403
    assert "На это нет прав" in answer.text
    assert "Проверьте зарядку</textarea>" in answer.text
    assert replies(ticket) == []


def test_a_reply_without_the_token_is_refused(desk, aigerim, ticket):
    answer = desk(aigerim, enforce_csrf_checks=True).post(address(ticket), words(ticket))
    assert answer.status_code == 403
    assert replies(ticket) == []


def test_a_reply_is_posted(desk, aigerim, ticket):
    assert desk(aigerim).get(address(ticket)).status_code == 405


def test_a_reply_over_unseen_messages_waits_and_keeps_the_text(desk, aigerim, ticket):
    values = words(ticket)
    missed = wrote(ticket.customer, "Уже заработало, спасибо за помощь!", ticket=ticket).message
    answer = desk(aigerim).post(address(ticket), values)
    assert answer.status_code == 409
    assert "Ещё 1 сообщение, пока вы писали" in answer.text
    assert "Уже заработало" in answer.text
    assert "Проверьте зарядку</textarea>" in answer.text
    assert f'name="confirm" value="{missed.pk}"' in answer.text
    assert replies(ticket) == []


def test_all_the_same_it_can_be_sent(desk, aigerim, ticket):
    values = words(ticket)
    missed = wrote(ticket.customer, "Ещё вопрос", ticket=ticket).message
    desk(aigerim).post(address(ticket), {**values, "confirm": missed.pk})
    assert len(replies(ticket)) == 1


def test_htmx_hears_of_unseen_messages_above_the_composer(htmx, aigerim, ticket):
    values = words(ticket, after=ticket.last_message_id, event=0)
    missed = wrote(ticket.customer, "Уже заработало", ticket=ticket).message
    answer = htmx(aigerim).post(address(ticket), values)
    assert answer.status_code == 409
    assert answer.headers["HX-Retarget"] == "#guard"
    assert "Ещё 1 сообщение, пока вы писали" in answer.text
    assert f'id="m{missed.pk}"' in answer.text
    assert "<html" not in answer.text


def test_an_edit_stands_in_history_and_is_no_news_to_who_opens_the_page(desk, aigerim, ticket):
    operations.revise(message=ticket.opened_by, text="Не включается телефон", entities=[], edited_at=timezone.now())
    client = desk(aigerim)
    text = client.get(address(ticket, "ticket")).text
    assert "Клиент изменил сообщение" in text
    seen = re.search(r'name="seen" value="([\d.]+)"', text)[1]
    assert client.post(address(ticket), words(ticket, seen=seen)).status_code == 302


@pytest.mark.parametrize("name", ["reply", "resolve"])
def test_an_act_over_an_edit_waits_and_shows_the_changed_words(htmx, aigerim, ticket, name):
    before = ticket.events.latest("pk").pk
    operations.revise(message=ticket.opened_by, text="Не включается телефон", entities=[], edited_at=timezone.now())
    values = words(ticket, seen=f"{ticket.last_message_id}.{before}", after=ticket.last_message_id, event=before)
    answer = htmx(aigerim).post(address(ticket, name), values)
    assert answer.status_code == 409
    assert "клиент изменил сообщение" in answer.text
    assert f'hx-target="#m{ticket.opened_by_id}"' in answer.text
    assert "Не включается телефон" in answer.text
    assert replies(ticket) == []


def test_all_the_same_a_reply_over_an_edit_can_be_sent(htmx, aigerim, ticket):
    client, before = htmx(aigerim), ticket.events.latest("pk").pk
    operations.revise(message=ticket.opened_by, text="Не включается телефон", entities=[], edited_at=timezone.now())
    values = words(ticket, seen=f"{ticket.last_message_id}.{before}")
    confirm = re.search(r'name="confirm" value="([\d.]+)"', client.post(address(ticket), values).text)[1]
    assert client.post(address(ticket), {**values, "confirm": confirm}).status_code == 200
    assert len(replies(ticket)) == 1


def test_htmx_gets_what_the_reply_changed(htmx, aigerim, ticket):
    answer = htmx(aigerim).post(address(ticket), words(ticket, after=ticket.last_message_id))
    (reply,) = replies(ticket)
    assert answer.status_code == 200
    for target in ("#log-list", "#ticket-head", "#panel-ticket", "#guard", "#client-id", f"#row-{ticket.pk}"):
        assert f'hx-target="{target}"' in answer.text
    assert f'id="m{reply.pk}"' in answer.text
    assert "Ждёт отправки" in answer.text
    assert 'id="reply"' not in answer.text


def test_pressing_twice_writes_once(desk, aigerim, ticket):
    client, values = desk(aigerim), words(ticket)
    assert client.post(address(ticket), values).status_code == 302
    assert client.post(address(ticket), values).status_code == 302
    assert len(replies(ticket)) == 1


NOT_THEIRS = "Обращение №{} больше не у вас."


@pytest.fixture
def lost(ticket, saule, other_team):
    """Takes the ticket out of Aigerim's sight."""
    return lambda: operations.move_to_team(ticket_id=ticket.pk, actor=saule, team_id=other_team.pk)


@pytest.mark.parametrize(
    ("kind", "then", "said"),
    [
        ("reply", "wait", "Ответ уже принят и второй раз не уйдёт."),
        ("reply", "resolve", "Ответ уже принят и второй раз не уйдёт."),
        ("note", "wait", "Заметка уже сохранена."),
    ],
)
def test_a_repeat_whose_ticket_is_lost_hears_that_it_was_written_and_sees_nothing_more(
    htmx, desk, aigerim, ticket, lost, kind, then, said
):
    values = words(ticket, kind=kind, then=then, after=0, event=0)
    assert htmx(aigerim).post(address(ticket), values).status_code == 200
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Проверьте зарядку")
    lost()
    written = ticket.messages.count()
    told = htmx(aigerim).post(address(ticket), values)
    assert told.status_code == 200
    assert f"{said} {NOT_THEIRS.format(ticket.pk)}" in told.text
    assert not any(hidden in told.text for hidden in ("Тимур", "ноутбук", "зарядку", "решено", f"/t/{ticket.pk}/"))
    assert not Draft.objects.exists()
    plain = desk(aigerim).post(address(ticket), values, follow=True)
    assert plain.redirect_chain[0][0] == reverse("tickets:queue")
    assert f"{said} {NOT_THEIRS.format(ticket.pk)}" in plain.text
    assert f"/t/{ticket.pk}/" not in plain.text
    assert ticket.messages.count() == written


@pytest.mark.parametrize("kind", ["reply", "note"])
def test_of_a_lost_ticket_only_the_same_words_of_the_same_person_are_told(htmx, aigerim, bolat, ticket, lost, kind):
    values = words(ticket, kind=kind)
    htmx(aigerim).post(address(ticket), values)
    lost()
    written = ticket.messages.count()
    assert htmx(bolat).post(address(ticket), values).status_code == 404
    for other in ({"text": "Другое"}, {"client_id": str(uuid.uuid4())}, {"seen": "x"}, {"text": ""}):
        assert htmx(aigerim).post(address(ticket), {**values, **other}).status_code == 404
    assert ticket.messages.count() == written


def test_a_repeat_whose_ticket_a_colleague_has_now_is_shown_where_it_stands(htmx, aigerim, bolat, ticket):
    client, values = htmx(aigerim), words(ticket, after=ticket.last_message_id)
    client.post(address(ticket), values)
    operations.assign(ticket_id=ticket.pk, actor=aigerim, assignee_id=bolat.pk)
    told = client.post(address(ticket), values)
    assert told.status_code == 200
    assert f'id="m{replies(ticket)[0].pk}"' in told.text
    assert len(replies(ticket)) == 1


def test_another_text_under_the_same_id_is_refused_with_a_fresh_one(htmx, aigerim, ticket):
    client, values = htmx(aigerim), words(ticket)
    client.post(address(ticket), values)
    answer = client.post(address(ticket), {**words(ticket, "Другое"), "client_id": values["client_id"]})
    assert answer.status_code == 409
    assert 'name="client_id"' in answer.text
    assert values["client_id"] not in answer.text
    assert len(replies(ticket)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "  \n "}, "Напишите текст или приложите файл."),
        ({"text": "я" * 20_001}, "Слишком длинно: 20001 из 20000"),
        ({"quote": "999999"}, "Цитируемого сообщения"),
        ({"then": "snooze:moment", "moment": "вчера"}, "Выберите время в будущем"),
        ({"then": "snooze:moment", "moment": "2001-01-01T10:00"}, "Выберите время в будущем"),
    ],
)
def test_what_cannot_be_sent_is_explained_and_kept(desk, aigerim, ticket, change, said):
    values = words(ticket, **change)
    answer = desk(aigerim).post(address(ticket), values)
    assert answer.status_code == 422
    assert said in answer.text
    assert values["text"].strip() in answer.text
    assert replies(ticket) == []


@pytest.mark.parametrize("broken", ["client_id", "seen"])
def test_a_form_without_its_hidden_fields_sends_nothing(desk, aigerim, ticket, broken):
    values = words(ticket)
    del values[broken]
    assert desk(aigerim).post(address(ticket), values).status_code == 422
    assert replies(ticket) == []


def test_files_go_with_the_reply(desk, aigerim, ticket):
    files = [SimpleUploadedFile("акт.pdf", PDF), SimpleUploadedFile("ещё.txt", b"text")]
    desk(aigerim).post(address(ticket), {**words(ticket, ""), "files": files})
    (reply,) = replies(ticket)
    assert [attachment.file_name for attachment in reply.attachments.order_by("position")] == ["акт.pdf", "ещё.txt"]


def test_an_empty_file_is_named_and_refused(desk, aigerim, ticket):
    answer = desk(aigerim).post(address(ticket), {**words(ticket), "files": [SimpleUploadedFile("пусто.txt", b"")]})
    assert answer.status_code == 422
    assert "«пусто.txt» пустой" in answer.text
    assert "Файлы нужно приложить ещё раз." in answer.text


@pytest.mark.parametrize(
    ("then", "status"),
    [("wait", Status.WAITING), ("open", Status.OPEN), ("resolve", Status.RESOLVED), ("чушь", Status.WAITING)],
)
def test_what_happens_to_the_ticket_is_chosen_with_the_button(desk, aigerim, ticket, then, status):
    desk(aigerim).post(address(ticket), words(ticket, then=then))
    ticket.refresh_from_db()
    assert ticket.status == status


def test_a_reply_can_put_the_ticket_away(desk, aigerim, ticket):
    desk(aigerim).post(address(ticket), words(ticket, then="snooze:tomorrow"))
    ticket.refresh_from_db()
    until = timezone.localtime(ticket.snoozed_until)
    assert (until.hour, until.minute) == (9, 0)


def test_solving_with_the_reply_can_be_undone_from_the_toast(htmx, aigerim, ticket):
    answer = htmx(aigerim).post(address(ticket), words(ticket, then="resolve"))
    assert reverse("tickets:undo", args=[ticket.pk]) in answer.text


def test_a_repeat_says_what_is_true_now(htmx, aigerim, ticket):
    client, values = htmx(aigerim), words(ticket, then="resolve")
    assert "решено" in client.post(address(ticket), values).text
    operations.undo_resolve(ticket_id=ticket.pk, actor=aigerim)
    repeated = client.post(address(ticket), values)
    assert repeated.status_code == 200
    assert len(replies(ticket)) == 1
    assert "решено" not in repeated.text
    assert reverse("tickets:undo", args=[ticket.pk]) not in repeated.text


def test_what_can_no_longer_be_undone_is_not_offered(htmx, aigerim, ticket):
    client, values = htmx(aigerim), words(ticket, then="resolve")
    client.post(address(ticket), values)
    ticket.refresh_from_db()
    ticket.resolved_at -= operations.UNDO_WINDOW
    ticket.save()
    repeated = client.post(address(ticket), values).text
    assert "решено" in repeated
    assert reverse("tickets:undo", args=[ticket.pk]) not in repeated


def test_what_was_sent_is_no_draft_any_more_and_is_read(desk, aigerim, ticket):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Проверьте")
    desk(aigerim).post(address(ticket), words(ticket))
    assert not Draft.objects.exists()
    assert ticket.readers.get(user=aigerim).seen_message_id == ticket.opened_by_id


def test_a_quote_goes_with_the_reply(desk, aigerim, ticket):
    desk(aigerim).post(address(ticket), words(ticket, quote=ticket.opened_by_id))
    assert replies(ticket)[0].quote_id == ticket.opened_by_id


def test_a_draft_is_kept_and_cleared(htmx, aigerim, ticket):
    client = htmx(aigerim)
    assert client.post(address(ticket, "draft"), {"text": "Начало", "is_note": "on"}).status_code == 204
    draft = Draft.objects.get()
    assert (draft.text, draft.is_note, draft.user) == ("Начало", True, aigerim)
    client.post(address(ticket, "draft"), {"text": ""})
    assert not Draft.objects.exclude(text="").exists()


def test_a_late_draft_is_answered_with_the_newer_one(htmx, aigerim, ticket):
    operations.save_draft(ticket_id=ticket.pk, user=aigerim, text="Новое", is_note=True)
    at = (timezone.now() - timedelta(minutes=1)).isoformat()
    answer = htmx(aigerim).post(address(ticket, "draft"), {"text": "Старое", "at": at})
    assert answer.status_code == 409
    newer = answer.json()
    assert (newer["text"], newer["note"], newer["quote"]) == ("Новое", True, "")
    assert newer["at"] <= newer["now"]
    assert Draft.objects.get().text == "Новое"


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"]
)
def test_a_draft_is_kept_whatever_time_a_browser_gives_it(htmx, aigerim, ticket, at):
    answer = htmx(aigerim).post(f"/desk/t/{ticket.pk}/draft/", {"text": "Начало", "at": at})
    assert answer.status_code == 204
    draft = Draft.objects.get()
    assert draft.text == "Начало"
    assert draft.updated_at <= timezone.now()


def test_an_empty_draft_never_touches_a_colleagues(htmx, aigerim, bolat, ticket):
    htmx(aigerim).post(address(ticket, "draft"), {"text": "Моё"})
    htmx(bolat).post(address(ticket, "draft"), {"text": ""})
    assert Draft.objects.get().user == aigerim
