"""Hundreds of photos in a row fold on the ticket's page: none is lost, and what stands around them stays in sight."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conftest import wrote
from tickets import operations
from tickets.models import Message, Ticket, User
from tickets.operations import Incoming, IncomingFile
from tickets.pages.conversation import PAGE
from tickets.pages.series import SERIES, SERIES_SHOWS

pytestmark = pytest.mark.django_db

Desk = Callable[[User], Client]
#: As for a page without a series, and three to find where it begins.
QUERIES = 16


def photos(ticket: Ticket, number: int, *, album: int = 1, **more: object) -> list[int]:
    """The ids of so many photos, each alone or in albums of so many."""
    sent = []
    for place in range(number):
        group = f"{ticket.pk}-{more}-{place // album}" if album > 1 else ""
        incoming = Incoming(
            sent_at=timezone.now(),
            content_type="photo",
            files=[IncomingFile(kind="photo", file_unique_id=f"{place}")],
            media_group_id=group,
            **{name: value for name, value in more.items() if name != "series"},
        )
        sent.append(operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message.pk)
    return sent


def shown(html: str) -> list[int]:
    """Ids of the messages that have bubbles, parts of albums included."""
    bubbles = re.findall(r'<li class="msg.*?(?=<li class="msg|<li class="series|\Z)', html, re.DOTALL)
    return [int(pk) for bubble in bubbles for pk in re.findall(r'id="m(\d+)"', bubble)]


def folds(html: str) -> list[tuple[int, int, int]]:
    """First and last message of each fold, and the number it names."""
    found = re.findall(r'data-first="(\d+)" data-last="(\d+)".*?Ещё (\d+) фото', html, re.DOTALL)
    return [(int(first), int(last), int(number)) for first, last, number in found]


def page_of(client: Client, ticket: Ticket, **query: object) -> str:
    return client.get(reverse("tickets:ticket", args=[ticket.pk]), query).text


def opened(client: Client, ticket: Ticket, first: int, last: int) -> str:
    return client.get(reverse("tickets:messages", args=[ticket.pk]), {"first": first, "last": last}).text


@pytest.mark.parametrize("album", [1, 10])
def test_of_three_hundred_photos_the_last_are_shown_and_the_others_counted(
    desk: Desk, aigerim: User, ticket: Ticket, album: int
):
    sent = photos(ticket, 300, album=album)
    html = page_of(desk(aigerim), ticket)
    assert shown(html)[-SERIES_SHOWS:] == sent[-SERIES_SHOWS:]
    assert folds(html) == [(sent[0], sent[-SERIES_SHOWS - 1], 300 - SERIES_SHOWS)]


def test_a_fold_opens_page_by_page_until_every_photo_was_there(desk: Desk, aigerim: User, ticket: Ticket):
    sent = photos(ticket, 300, album=10)
    client = desk(aigerim)
    html = page_of(client, ticket)
    seen, pages = shown(html)[-SERIES_SHOWS:], 0
    while folded := folds(html):
        first, last, left = folded[0]
        assert left == len(sent) - len(seen)
        html = opened(client, ticket, first, last)
        seen, pages = [*shown(html), *seen], pages + 1
        assert len(shown(html)) <= PAGE + 20
    assert (seen, pages) == (sent, 6)


def test_without_a_script_a_fold_leads_to_pages_that_show_all(desk: Desk, aigerim: User, ticket: Ticket):
    sent = photos(ticket, 100)
    client = desk(aigerim)
    seen = shown(page_of(client, ticket))[-SERIES_SHOWS:]
    address = re.search(r'href="([^"]*unfolded=1)"', page_of(client, ticket))
    while address:
        html = client.get(address[1].replace("&amp;", "&")).text
        assert folds(html) == []
        seen = [*shown(html), *seen]
        address = re.search(r'href="([^"]*unfolded=1)"', html)
    assert [pk for pk in seen if pk in sent] == sent


def test_what_was_said_before_a_series_is_on_the_next_page_and_none_of_the_series(
    desk: Desk, aigerim: User, ticket: Ticket
):
    before = wrote(ticket.customer, "Вот все повреждения:", ticket=ticket).message.pk
    sent = photos(ticket, 120)
    client = desk(aigerim)
    html = page_of(client, ticket)
    older = client.get(reverse("tickets:messages", args=[ticket.pk]), {"before": folds(html)[0][0]}).text
    assert shown(older)[-1] == before
    assert f"before={sent[0]}" in html


def test_a_link_to_a_folded_photo_finds_its_place(desk: Desk, aigerim: User, ticket: Ticket):
    sent = photos(ticket, 300)
    html = page_of(desk(aigerim), ticket)
    fold = html[html.index('class="series"') :]
    assert all(f'id="m{pk}"' in fold for pk in sent)
    assert len(re.findall(r'id="m\d+"', html)) == len(set(re.findall(r'id="m\d+"', html)))


def test_few_photos_do_not_fold(desk: Desk, aigerim: User, ticket: Ticket):
    sent = photos(ticket, SERIES - 1)
    html = page_of(desk(aigerim), ticket)
    assert (folds(html), shown(html)[-len(sent) :]) == ([], sent)


def test_words_a_quote_and_a_note_stay_in_sight(desk: Desk, aigerim: User, ticket: Ticket, answer):
    photos(ticket, 30, series=1)
    words = photos(ticket, 1, text="Вот здесь трещина")
    photos(ticket, 30, series=2)
    operations.note(ticket_id=ticket.pk, actor=aigerim, text="Заводской брак", client_id="0" * 32)
    photos(ticket, 30, series=3)
    quoting = photos(ticket, 1, quote=Message.objects.get(pk=words[0]))
    client = desk(aigerim)
    html, everything = page_of(client, ticket), ""
    while older := re.search(r'id="older"><a[^>]*before=(\d+)', html):
        everything = html + everything
        html = page_of(client, ticket, before=older[1])
    everything = html + everything
    assert {*words, *quoting} <= set(shown(everything))
    assert "Заводской брак" in everything
    assert [number for _first, _last, number in folds(everything)] == [20, 20, 20]


def test_an_album_with_words_stays_whole_beside_a_series(desk: Desk, aigerim: User, ticket: Ticket):
    group = {"media_group_id": "with words"}
    head = Incoming(
        sent_at=timezone.now(), content_type="photo", text="Коробка", files=[IncomingFile(kind="photo")], **group
    )
    rest = Incoming(sent_at=timezone.now(), content_type="photo", files=[IncomingFile(kind="photo")], **group)
    for part in (head, rest, rest):
        operations.receive(customer=ticket.customer, incoming=part, ticket=ticket)
    sent = photos(ticket, 100)
    assert folds(page_of(desk(aigerim), ticket)) == [(sent[0], sent[-11], 90)]


def test_what_is_unread_begins_where_it_began(desk: Desk, aigerim: User, ticket: Ticket):
    read = photos(ticket, 35)
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=read[-1])
    unread = photos(ticket, 5)
    html = page_of(desk(aigerim), ticket)
    assert html.index('class="series"') < html.index('class="fresh"') < html.index(f'id="m{unread[0]}"')
    assert folds(html) == [(read[0], read[-11], 25)]


def test_an_open_page_folds_what_was_new_with_what_was_not(desk: Desk, aigerim: User, ticket: Ticket):
    read = photos(ticket, 30)
    operations.mark_seen(ticket_id=ticket.pk, user=aigerim, message_id=read[-1])
    unread = photos(ticket, 30)
    html = desk(aigerim).get(reverse("tickets:messages", args=[ticket.pk])).text
    assert folds(html) == [(read[0], unread[-11], 50)]


def test_a_series_ends_with_its_day(desk: Desk, aigerim: User, ticket: Ticket):
    yesterday = photos(ticket, 40)
    Message.objects.filter(pk__in=yesterday).update(sent_at=timezone.now() - timedelta(days=1))
    today = photos(ticket, 40)
    html = page_of(desk(aigerim), ticket)
    assert folds(html)[-1] == (today[0], today[-11], 30)


def test_another_tickets_messages_are_in_no_fold(desk: Desk, aigerim: User, ticket: Ticket, other_team):
    photos(ticket, 60)
    strangers = wrote(ticket.customer, "О другом").message
    sent = photos(ticket, 60, series=2)
    client = desk(aigerim)
    assert f'id="m{strangers.pk}"' not in page_of(client, ticket)
    assert strangers.pk not in shown(opened(client, ticket, sent[0] - 5, sent[-1]))


def test_a_series_costs_as_many_queries_whatever_its_length(
    desk: Desk, aigerim: User, ticket: Ticket, django_assert_max_num_queries
):
    client = desk(aigerim)
    page_of(client, ticket)  # what every page says of the bot is remembered for a while
    for _time in range(3):
        photos(ticket, 60)
        with django_assert_max_num_queries(QUERIES):
            page_of(client, ticket)
    first, last, _number = folds(page_of(client, ticket))[0]
    with django_assert_max_num_queries(8):
        opened(client, ticket, first, last)
