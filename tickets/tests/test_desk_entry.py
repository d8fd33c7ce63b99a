import re
from datetime import timedelta
from html import unescape

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conftest import PASSWORD, wrote
from tickets import operations
from tickets.models import Draft, Presence, Theme, User

LOGIN = reverse("tickets:login")
PROFILE = reverse("tickets:profile")


def sign_in(client, username="aigerim", password=PASSWORD, **more):
    return client.post(LOGIN, {"username": username, "password": password, **more})


def test_signing_in_opens_the_queue_and_says_who_is_here(client, aigerim):
    answer = sign_in(client)
    assert answer.status_code == 302
    assert client.get(answer.url).status_code == 200
    aigerim.refresh_from_db()
    assert aigerim.presence == Presence.ONLINE


@pytest.mark.parametrize("name", ["queue", "take-next"])
def test_who_belongs_to_no_group_is_told_so_and_can_leave(client, aigerim, name):
    aigerim.groups.clear()
    client.force_login(aigerim, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse(f"tickets:{name}")
    answer = client.get(address) if name == "queue" else client.post(address)
    assert answer.status_code == 403
    assert "не состоите среди менеджеров" in answer.text
    assert client.post(reverse("tickets:logout")).status_code == 302
    assert client.get(reverse("tickets:queue")).status_code == 302


def test_who_was_shut_out_and_is_let_in_again_signs_in_again(client, aigerim, saule):
    queue = sign_in(client).url
    operations.disable_user(actor=saule, user=aigerim)
    operations.enable_user(actor=saule, user=aigerim)
    assert client.get(queue).status_code == 302
    assert sign_in(client).status_code == 302
    assert client.get(queue).status_code == 200


def test_so_does_who_was_shut_out_by_hand_in_the_database(client, aigerim, saule):
    queue = sign_in(client).url
    User.objects.filter(pk=aigerim.pk).update(is_active=False)
    operations.enable_user(actor=saule, user=aigerim)
    assert client.get(queue).status_code == 302


def test_letting_in_who_is_in_signs_nobody_out(client, aigerim, saule):
    queue = sign_in(client).url
    operations.enable_user(actor=saule, user=aigerim)
    assert client.get(queue).status_code == 200


def test_letting_one_person_in_again_signs_out_nobody_else(client, aigerim, bolat, saule):
    queue = sign_in(client).url
    operations.disable_user(actor=saule, user=bolat)
    operations.enable_user(actor=saule, user=bolat)
    assert client.get(queue).status_code == 200


def test_the_session_ends_with_the_browser_unless_asked_otherwise(client, aigerim):
    assert sign_in(client).cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""
    client.logout()
    remembered = sign_in(client, remember="on").cookies[settings.SESSION_COOKIE_NAME]["max-age"]
    assert remembered == pytest.approx(14 * 24 * 3600, abs=5)


def test_remembering_is_not_chosen_for_anyone(client):
    assert "checked" not in client.get(LOGIN).text


def test_unknown_wrong_and_disabled_are_told_alike(client, aigerim, bolat):
    bolat.is_active = False
    bolat.save()
    answers = [
        sign_in(client, password="wrong-password"),
        sign_in(client, username="nobody"),
        sign_in(client, username="bolat"),
        sign_in(client, username=""),
    ]
    assert {answer.status_code for answer in answers} == {422}
    said = "Логин или пароль не подошли."
    assert all(said in answer.text for answer in answers)


def test_the_way_back_leads_home_only_on_this_site(client, aigerim, ticket):
    page = reverse("tickets:ticket", args=[ticket.pk])
    assert sign_in(client, next=page).url == page
    client.logout()
    assert sign_in(client, next="https://evil.example/").url == reverse("tickets:queue")


@pytest.mark.parametrize("name", ["take-next", "profile", "logout"])
def test_the_way_back_leads_to_no_act(client, aigerim, name):
    assert sign_in(client, next=reverse(f"tickets:{name}")).url == reverse("tickets:queue")


def carried(page) -> dict[str, str]:
    """What the login page holds in its hidden fields."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def test_what_was_being_sent_when_the_session_ended_stands_in_the_field_after_signing_in(client, aigerim, ticket):
    words = 'Первая строка\n"вторая" <b>& третья</b>'
    page = client.post(reverse("tickets:reply", args=[ticket.pk]), {"text": words, "kind": "reply"})
    assert page.status_code == 401
    assert "ничего не отправлено" in page.text
    again = sign_in(client, password="wrong-password", **carried(page))
    answer = sign_in(client, **carried(again))
    assert answer.url == reverse("tickets:ticket", args=[ticket.pk])
    assert client.get(answer.url).context["page"].composer.text == words


def test_a_note_stays_a_note_and_files_are_asked_for_again(client, aigerim, ticket):
    file = SimpleUploadedFile("акт.pdf", b"%PDF-")
    values = {"text": "Для команды", "kind": "note", "quote": ticket.opened_by_id, "files": [file]}
    page = client.post(reverse("tickets:reply", args=[ticket.pk]), values)
    assert "Файлы нужно приложить ещё раз." in page.text
    composer = client.get(sign_in(client, **carried(page)).url).context["page"].composer
    assert composer.is_note
    assert composer.quote.pk == ticket.opened_by_id


NEW_WORDS = 'Курьер будет до 19:00, "позвонит" за час'


@pytest.fixture
def edit_at_the_door(client, aigerim, ticket, answer):
    """A reply is edited without a script after the session has ended: the reply, and the login page that answers."""
    reply = answer(ticket, aigerim, "Курьер будет до 18:00")
    page = client.post(reverse("tickets:edit", args=[ticket.pk, reply.pk]), {"text": NEW_WORDS, "seen": reply.pk})
    assert page.status_code == 401
    assert "новый текст будет там, где вы его правили" in page.text
    return reply, page


def shown(client, ticket, **query):
    """The draft in the reply's field, and the words in the field of each reply being edited."""
    page = client.get(reverse("tickets:ticket", args=[ticket.pk], query=query))
    edits = re.findall(r'<textarea id="edit-(\d+)"[^>]*>([^<]*)<', page.text)
    return page.context["page"].composer.text, {int(pk): unescape(words) for pk, words in edits}


def test_an_edit_the_session_ended_under_is_an_edit_after_signing_in(client, ticket, edit_at_the_door):
    reply, page = edit_at_the_door
    again = sign_in(client, password="wrong-password", **carried(page))
    assert "новый текст будет там, где вы его правили" in again.text
    answer = sign_in(client, **carried(again))
    assert answer.url == reverse("tickets:ticket", args=[ticket.pk], query={"edit": reply.pk}) + f"#m{reply.pk}"
    for _time in range(2):  # and though the page is loaded again
        assert shown(client, ticket, edit=reply.pk) == ("", {reply.pk: NEW_WORDS})
    assert not Draft.objects.exists()
    reply.refresh_from_db()
    assert reply.text == "Курьер будет до 18:00"


@pytest.mark.parametrize("way", ["saved", "given up"])
def test_words_of_an_edit_are_forgotten_once_they_are_saved_or_given_up(client, ticket, edit_at_the_door, way):
    reply, page = edit_at_the_door
    sign_in(client, **carried(page))
    if way == "saved":
        values = {"text": "До 20:00", "seen": reply.pk}
        client.post(reverse("tickets:edit", args=[ticket.pk, reply.pk]), values)
        reply.refresh_from_db()
    else:
        client.get(reverse("tickets:ticket", args=[ticket.pk]))
    assert shown(client, ticket, edit=reply.pk) == ("", {reply.pk: reply.text})


def test_an_edit_stays_one_though_its_reply_stands_further_up_by_now(client, timur, ticket, edit_at_the_door):
    reply, page = edit_at_the_door
    for number in range(60):
        wrote(timur, f"Ещё {number}", ticket=ticket)
    sign_in(client, **carried(page))
    assert shown(client, ticket, edit=reply.pk) == ("", {reply.pk: NEW_WORDS})


def test_an_edit_that_came_too_late_can_still_be_copied(client, ticket, edit_at_the_door):
    reply, page = edit_at_the_door
    operations.start_sending(delivery_id=reply.pk)
    sign_in(client, **carried(page))
    assert shown(client, ticket, edit=reply.pk) == ("", {reply.pk: NEW_WORDS})


def test_another_person_at_the_same_browser_finds_nothing_of_an_edit(client, dana, ticket, edit_at_the_door):
    answer = sign_in(client, username="dana", **carried(edit_at_the_door[1]))
    assert client.get(answer.url).status_code == 404
    assert not Draft.objects.exists()


def test_words_for_a_ticket_that_is_hidden_are_kept_nowhere(client, dana, ticket):
    page = client.post(reverse("tickets:reply", args=[ticket.pk]), {"text": "Чужое", "kind": "reply"})
    sign_in(client, username="dana", **carried(page))
    assert not Draft.objects.exists()


def test_whoever_is_in_already_goes_on(desk, aigerim):
    assert desk(aigerim).get(LOGIN).status_code == 302


def test_a_session_that_ended_under_an_open_page_says_so_above_the_composer(htmx, aigerim, ticket):
    client = htmx(aigerim)
    client.logout()
    answer = client.post(reverse("tickets:resolve", args=[ticket.pk]), follow=True)
    assert answer.status_code == 401
    assert answer.headers["HX-Retarget"] == "#guard"
    assert "<html" not in answer.text


def test_signing_out_ends_the_session(desk, aigerim):
    client = desk(aigerim)
    assert client.get(reverse("tickets:logout")).status_code == 405
    client.post(reverse("tickets:logout"))
    assert client.get(reverse("tickets:queue")).status_code == 302
    aigerim.refresh_from_db()
    assert aigerim.presence == Presence.OFFLINE


def test_signing_in_takes_a_token(aigerim):
    from django.test import Client

    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_the_theme_is_chosen_and_kept(desk, aigerim):
    client = desk(aigerim)
    client.post(PROFILE, {"theme": "dark"})
    aigerim.refresh_from_db()
    assert aigerim.theme == Theme.DARK
    assert 'data-theme="dark"' in client.get(reverse("tickets:queue")).text


def test_the_language_is_chosen_and_comes_back_with_the_next_sign_in(client, desk, aigerim):
    answer = desk(aigerim).post(PROFILE, {"language": "kk"})
    assert answer.cookies[settings.LANGUAGE_COOKIE_NAME].value == "kk"
    assert sign_in(client).cookies[settings.LANGUAGE_COOKIE_NAME].value == "kk"


def test_presence_and_keys_are_chosen(desk, aigerim):
    client = desk(aigerim)
    client.post(PROFILE, {"presence": "away"})
    client.post(PROFILE, {"keys": "off"})
    aigerim.refresh_from_db()
    assert aigerim.presence == Presence.AWAY
    assert aigerim.keys is False
    assert 'data-keys="off"' in client.get(reverse("tickets:queue")).text


def test_every_page_and_act_says_that_its_reader_is_here(desk, aigerim, ticket):
    client, long_ago = desk(aigerim), timezone.now() - timedelta(minutes=30)
    for visit in (
        lambda: client.get(reverse("tickets:queue")),
        lambda: client.post(reverse("tickets:draft", args=[ticket.pk]), {"text": "Начало"}),
    ):
        User.objects.filter(pk=aigerim.pk).update(seen_at=long_ago, presence=Presence.ONLINE)
        visit()
        aigerim.refresh_from_db()
        assert aigerim.is_around(timezone.now())


def test_a_page_says_it_once_a_minute_and_costs_no_query_in_between(desk, aigerim):
    client, queue = desk(aigerim), reverse("tickets:queue")
    client.get(queue)
    aigerim.refresh_from_db()
    first = aigerim.seen_at
    with CaptureQueriesContext(connection) as asked:
        client.get(queue)
    assert not any(query["sql"].startswith("UPDATE") for query in asked)
    aigerim.refresh_from_db()
    assert aigerim.seen_at == first


def test_a_page_calls_nobody_back_to_work(desk, aigerim):
    User.objects.filter(pk=aigerim.pk).update(presence=Presence.AWAY)
    desk(aigerim).get(reverse("tickets:queue"))
    aigerim.refresh_from_db()
    assert aigerim.presence == Presence.AWAY


def test_one_choice_leaves_the_others(desk, aigerim):
    client = desk(aigerim)
    client.post(PROFILE, {"theme": "dark"})
    client.post(PROFILE, {"presence": "online"})
    aigerim.refresh_from_db()
    assert aigerim.theme == Theme.DARK


@pytest.mark.parametrize("values", [{"theme": "pink"}, {"language": "xx"}, {"presence": "asleep"}, {"keys": "maybe"}])
def test_unknown_choices_are_refused(desk, aigerim, values):
    assert desk(aigerim).post(PROFILE, values).status_code == 422


@pytest.mark.parametrize("language", ["ru", "kk", "en"])
def test_the_languages_of_the_login_page(client, language):
    client.post(reverse("set_language"), {"language": language, "next": LOGIN})
    assert f'<html lang="{language}"' in client.get(LOGIN).text


@pytest.mark.parametrize(("path", "status"), [("/desk/нет-такой/", 404)])
def test_what_is_not_there_is_said_in_the_desks_look(desk, aigerim, path, status):
    answer = desk(aigerim).get(path)
    assert answer.status_code == status
    assert "app.css" in answer.text
