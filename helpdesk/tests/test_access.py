"""Who may reach what: every address of the site × everyone who may ask.

A new route fails `test_every_route_has_a_row` until it stands in ROUTES. `/events` is no Django route: the stream's
own rights are tested in test_live.py.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from botbridge.models import BotStatus, ChatSession, ForumTopic, Outage, OutboundCall, Update
from conftest import PASSWORD, person, wrote
from tickets import access, operations
from tickets.models import (
    MANAGERS,
    Attachment,
    AttachmentState,
    ContentType,
    Customer,
    DeliveryState,
    Draft,
    Event,
    HiddenCard,
    Lane,
    Message,
    Presence,
    Priority,
    Scope,
    ServiceAccount,
    Tag,
    Team,
    Ticket,
    TicketReader,
    Topic,
    User,
    Webhook,
    WebhookCall,
)

pytestmark = pytest.mark.django_db

# The people who ask. Each but the strict colleague asks for Aigerim's ticket; the strict colleague for one that
# somebody else in their own, closed team answers.
ANONYMOUS, STRANGER, COLLEAGUE, STRICT = "anonymous", "strange manager", "colleague", "colleague in a strict team"
ASSIGNEE, SUPERVISOR, DISABLED = "assignee", "supervisor", "disabled"
PEOPLE = (ANONYMOUS, STRANGER, COLLEAGUE, STRICT, ASSIGNEE, SUPERVISOR, DISABLED)

# The answers.
OK, LOGIN = "done", "sent to sign in"
HIDDEN, FORBIDDEN = 404, 403

Answers = dict[str, str | int]


def answers(*, manager: str | int, supervisor: str | int = OK, **differing: str | int) -> Answers:
    """Managers' answer, and those who differ from it; whoever is not signed in is sent to sign in."""
    common: Answers = dict.fromkeys((STRANGER, COLLEAGUE, STRICT, ASSIGNEE), manager)
    return common | {ANONYMOUS: LOGIN, DISABLED: LOGIN, SUPERVISOR: supervisor} | differing


EVERYONE: Answers = dict.fromkeys(PEOPLE, OK)
STAFF = answers(manager=OK)
SEEING = answers(manager=OK) | {STRANGER: HIDDEN, STRICT: HIDDEN}
WORKING = SEEING | {COLLEAGUE: FORBIDDEN}
# Aigerim is at work and the ticket is hers: there is nothing to take for anyone but a supervisor.
TAKING = WORKING | {ASSIGNEE: FORBIDDEN}
SUPERVISING = answers(manager=FORBIDDEN)
NOBODY_HERE = answers(manager=FORBIDDEN, supervisor=FORBIDDEN)


@dataclass
class Target:
    """The ticket one person asks for, with something of everything on it."""

    owner: User
    ticket: Ticket
    reply: Message
    file: Attachment
    lost_file: Attachment

    @property
    def seen(self) -> int:
        return self.ticket.messages.latest("pk").pk


@dataclass
class World:
    people: dict[str, User]
    of_aigerim: Target
    of_strict_team: Target
    rows: dict[str, int]

    def target(self, who: str) -> Target:
        return self.of_strict_team if who == STRICT else self.of_aigerim


#: What a service account with every scope is answered that names the ticket's customer, and one that names another.
ProgramAnswers = tuple[str | int, str | int]
FOR_PEOPLE: ProgramAnswers = (FORBIDDEN, FORBIDDEN)
FOR_OWN_CUSTOMER: ProgramAnswers = (OK, HIDDEN)
FOR_ALL_PROGRAMS: ProgramAnswers = (OK, OK)

Values = Callable[[Target, World], dict[str, Any]]
Preparation = Callable[[Target], object]


@dataclass
class Route:
    """One address asked by one method, and what each person is answered.

    `where` fills the address, `data` the form; `before` brings the ticket into the state the act needs.
    """

    name: str
    method: str
    answers: Answers
    where: Values = lambda target, world: {}
    data: Values = lambda target, world: {}
    before: Preparation = lambda target: None
    headers: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    programs: ProgramAnswers = FOR_PEOPLE


def of_ticket(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk}


def of_reply(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk, "message_id": target.reply.pk}


def of_question(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk, "message_id": target.ticket.opened_by_id}


def of_file(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk, "attachment_id": target.file.pk}


def of_lost_file(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk, "attachment_id": target.lost_file.pk}


def of_card(target: Target, world: World) -> dict[str, Any]:
    return {"ticket_id": target.ticket.pk, "message_id": target.ticket.opened_by_id}


def hide_card(target: Target) -> None:
    HiddenCard.objects.get_or_create(message_id=target.ticket.opened_by_id, number="4111111111111111")


def seen(target: Target, world: World) -> dict[str, Any]:
    return {"seen": target.seen}


def words(target: Target, world: World) -> dict[str, Any]:
    return {"text": "Проверьте зарядку.", "seen": target.seen, "client_id": uuid.uuid4()}


def solve(target: Target) -> None:
    operations.resolve(ticket_id=target.ticket.pk, actor=target.owner)


def put_away(target: Target) -> None:
    until = timezone.now() + timedelta(hours=1)
    operations.snooze(ticket_id=target.ticket.pk, actor=target.owner, until=until)


def settle(state: DeliveryState) -> Preparation:
    return lambda target: operations.settle(delivery_id=target.reply.pk, state=state, parts_sent=0)


def fail_to_alter(target: Target) -> None:
    settle(DeliveryState.SENT)(target)
    operations.edit_reply(message_id=target.reply.pk, actor=target.owner, text="Иначе")
    operations.give_up_alterations(now=timezone.now() + timedelta(hours=1))


def seen_and(**more: Any) -> Values:
    return lambda target, world: {"seen": target.seen, **more}


def read_part(name: str) -> Route:
    return Route(f"tickets:{name}", "GET", SEEING, of_ticket)


def act(name: str, allowed: Answers, data: Values = seen, before: Preparation = lambda target: None) -> Route:
    return Route(f"tickets:{name}", "POST", allowed, of_ticket, data, before)


def decision(name: str, before: Preparation = lambda target: None, data: Values = seen) -> Route:
    return Route(f"tickets:{name}", "POST", WORKING, of_reply, data, before)


HTMX = {"HX-Request": "true"}
NEW_PASSWORD = {"old_password": PASSWORD, **dict.fromkeys(("new_password1", "new_password2"), "verbena-tramway-42")}

DESK = [
    Route("tickets:login", "GET", EVERYONE),
    # No mail is set up here.
    Route("tickets:forgotten", "GET", dict.fromkeys(PEOPLE, HIDDEN)),
    Route("tickets:forgotten", "POST", dict.fromkeys(PEOPLE, HIDDEN)),
    # Not by who asks, but by the token; this one is nobody's and says so.
    Route("tickets:new-password", "GET", EVERYONE, lambda target, world: {"uidb64": "MQ", "token": "x"}),
    Route("tickets:new-password", "POST", EVERYONE, lambda target, world: {"uidb64": "MQ", "token": "x"}),
    Route("tickets:logout", "POST", STAFF),
    Route("tickets:profile", "POST", STAFF, data=lambda target, world: {"theme": "dark"}),
    Route("tickets:queue", "GET", STAFF),
    Route("tickets:take-next", "POST", STAFF),
    Route("tickets:password", "GET", STAFF),
    Route("tickets:password", "POST", STAFF, data=lambda target, world: NEW_PASSWORD),
    Route("tickets:account", "GET", STAFF),
    Route("tickets:end-sign-in", "POST", STAFF, data=lambda target, world: {"key": "x"}),
    Route("tickets:end-program", "POST", STAFF, data=lambda target, world: {"key": "1"}),
    Route("tickets:end-others", "POST", STAFF),
    Route("tickets:second-factor", "GET", STAFF),
    Route("tickets:second-factor", "POST", STAFF),
    # Nobody has one here, and no password is given.
    Route("tickets:second-factor-off", "POST", dict.fromkeys(PEOPLE, 422) | {ANONYMOUS: LOGIN, DISABLED: LOGIN}),
    *(read_part(name) for name in ("ticket", "messages", "head", "panel", "panel-rest", "state", "row", "peer")),
    *(read_part(name) for name in ("assignees", "topics", "tags")),
    act("reply", WORKING, words),
    act("note", SEEING, words),
    act("take", TAKING),
    act("assign", WORKING, seen_and(assignee="")),
    act("resolve", WORKING),
    act("undo", WORKING, before=solve),
    act("reopen", WORKING, before=solve),
    act("snooze", WORKING, seen_and(until="hour")),
    act("unsnooze", WORKING, before=put_away),
    act("topic", WORKING, seen_and(topic="")),
    act("priority", WORKING, seen_and(priority=Priority.HIGH.value)),
    act("tag", WORKING, seen_and(name="замена")),
    act("seen", SEEING),
    act("unread", SEEING),
    act("draft", SEEING, seen_and(text="Начало")),
    act("typing", WORKING),
    act("preview", SEEING, seen_and(text="**Начало**")),
    act("phone", SEEING),
    Route("tickets:message", "GET", SEEING, of_reply, headers=HTMX),
    Route("tickets:former", "GET", SEEING, of_question, headers=HTMX),
    decision("edit", data=seen_and(text="Другими словами.")),
    Route("tickets:deleting", "GET", SEEING, of_reply, headers=HTMX),
    decision("delete", settle(DeliveryState.SENT)),
    Route("tickets:reactions", "GET", SEEING, of_question, headers=HTMX),
    Route("tickets:react", "POST", WORKING, of_question, seen_and(emoji="👍")),
    decision("leave", fail_to_alter),
    decision("withdraw"),
    decision("release", settle(DeliveryState.HELD)),
    decision("arrived", settle(DeliveryState.UNKNOWN)),
    decision("resend", settle(DeliveryState.UNKNOWN)),
    Route("tickets:cards", "POST", SEEING, of_card, before=hide_card),
    Route("tickets:file", "GET", SEEING, of_file),
    Route("tickets:thumbnail", "GET", SEEING, of_file),
    Route("tickets:retry-file", "POST", SEEING, of_lost_file),
]

# Each list of the admin, and whether its rows are edited there or only read. Nothing is deleted anywhere.
EDITED, READ = SUPERVISING, NOBODY_HERE
ADMIN_LISTS: dict[str, Answers] = {
    "tickets_ticket": READ,
    "tickets_customer": READ,
    "tickets_delivery": READ,
    "tickets_user": EDITED,
    "tickets_team": EDITED,
    "tickets_topic": EDITED,
    "tickets_tag": EDITED,
    "tickets_job": READ,
    "tickets_webhook": EDITED,
    "tickets_webhookcall": READ,
    "tickets_serviceaccount": EDITED,
    "botbridge_botstatus": EDITED,
    "botbridge_forumtopic": READ,
    "botbridge_update": READ,
    "botbridge_outboundcall": READ,
    "botbridge_outage": READ,
}


def of_row(model: str) -> Values:
    return lambda target, world: {"object_id": world.rows[model]}


PERSON_PAGES = ("lock", "trail", "factor", "link")


def of_person(target: Target, world: World) -> dict[str, Any]:
    return {"person_id": world.rows["tickets_user"]}


#: Rows that make themselves.
NEVER_ADDED = {"botbridge_botstatus"}


def admin_rows(model: str, editing: Answers) -> Iterator[Route]:
    one = of_row(model)
    adding = NOBODY_HERE if model in NEVER_ADDED else editing
    yield Route(f"admin:{model}_changelist", "GET", SUPERVISING)
    yield Route(f"admin:{model}_changelist", "POST", SUPERVISING)
    yield Route(f"admin:{model}_history", "GET", SUPERVISING, one)
    yield Route(f"admin:{model}_change", "GET", SUPERVISING, one)
    yield Route(f"admin:{model}_change", "POST", editing, one)
    yield Route(f"admin:{model}_add", "GET", adding)
    yield Route(f"admin:{model}_add", "POST", adding)
    yield Route(f"admin:{model}_delete", "GET", NOBODY_HERE, one)
    yield Route(f"admin:{model}_delete", "POST", NOBODY_HERE, one)


ADMIN = [
    Route("admin:index", "GET", SUPERVISING),
    Route("admin:app_list", "GET", SUPERVISING, lambda target, world: {"app_label": "tickets"}),
    # Its form is the desk's; whoever is signed in is shown the way in, which asks their rights.
    Route("admin:login", "GET", answers(manager=OK)),
    Route("admin:logout", "POST", SUPERVISING),
    Route("admin:password_change", "GET", SUPERVISING),
    Route("admin:password_change", "POST", SUPERVISING),
    Route("admin:password_change_done", "GET", SUPERVISING),
    Route("admin:jsi18n", "GET", SUPERVISING),
    # Django's own, unused: without a field to complete it refuses, and nothing of ours has a page "on site".
    Route("admin:autocomplete", "GET", NOBODY_HERE),
    Route(
        "admin:view_on_site",
        "GET",
        SUPERVISING | {SUPERVISOR: HIDDEN},
        lambda target, world: {"content_type_id": 0, "object_id": 0},
    ),
    *(row for model, editing in ADMIN_LISTS.items() for row in admin_rows(model, editing)),
    Route(
        "admin:tickets_customer_phone",
        "POST",
        SUPERVISING,
        lambda target, world: {"customer_id": target.ticket.customer_id},
    ),
    *(Route(f"admin:tickets_user_{page}", "GET", SUPERVISING, of_person) for page in PERSON_PAGES),
    *(Route(f"admin:tickets_user_{page}", "POST", SUPERVISING, of_person) for page in PERSON_PAGES),
    Route(
        "admin:auth_user_password_change", "GET", SUPERVISING, lambda target, world: {"id": world.rows["tickets_user"]}
    ),
    Route(
        "admin:auth_user_password_change", "POST", SUPERVISING, lambda target, world: {"id": world.rows["tickets_user"]}
    ),
]

SITE = [
    Route("home", "GET", EVERYONE),
    # Open to all, and it tells the truth: no bot runs here.
    Route("health", "GET", dict.fromkeys(PEOPLE, 503)),
    Route("telegram-banner", "GET", STAFF),
    # Not by who somebody is here, but by the settings, and these name nobody.
    Route("metrics", "GET", dict.fromkeys(PEOPLE, 403)),
    # By two secrets, and none is set here.
    Route("telegram-webhook", "POST", dict.fromkeys(PEOPLE, FORBIDDEN), lambda target, world: {"path": "0" * 64}),
    Route("health-live", "GET", EVERYONE),
    Route("health-ready", "GET", EVERYONE),
    Route("set_language", "POST", EVERYONE, data=lambda target, world: {"language": "kk"}),
]

# The API, asked with the desk's session; a program's token leads to the same person. Nobody is sent to sign in.
UNKNOWN = 401


def api(name: str, method: str, allowed: Answers, where: Values = lambda target, world: {}, **more: Any) -> Route:
    unknown: Answers = {who: UNKNOWN for who, answer in allowed.items() if answer == LOGIN}
    return Route(f"api:{name}", method, allowed | unknown, where, is_json=True, **more)


def of_customer(target: Target, world: World) -> dict[str, Any]:
    return {"customer_id": target.ticket.customer_id}


def of_chat(target: Target, world: World) -> dict[str, Any]:
    return {"user_id": target.ticket.customer.telegram_user_id}


def open_chat(target: Target) -> None:
    customer = target.ticket.customer
    ChatSession.objects.create(bot_id=7, chat_id=customer.telegram_user_id, customer=customer)


def pending(target: Target, world: World) -> dict[str, Any]:
    return {"telegramUserId": target.ticket.customer.telegram_user_id, "pendingMedia": []}


def asked(target: Target, world: World) -> dict[str, Any]:
    return {"telegramUserId": target.ticket.customer.telegram_user_id, "text": "Звонил"}


#: Who may write what the customer said.
SPEAKING = SEEING | {COLLEAGUE: FORBIDDEN, ASSIGNEE: FORBIDDEN}


def said(sender: str) -> Values:
    return lambda target, world: {"senderType": sender, "text": "Проверьте зарядку."}


API = [
    api(
        "login",
        "POST",
        dict.fromkeys(PEOPLE, UNKNOWN),
        data=lambda t, w: {"username": "x", "password": "y"},
        programs=(UNKNOWN, UNKNOWN),
    ),
    api(
        "refresh-token",
        "POST",
        dict.fromkeys(PEOPLE, UNKNOWN),
        data=lambda t, w: {"refresh": "x"},
        programs=(UNKNOWN, UNKNOWN),
    ),
    api("logout", "POST", STAFF),
    api("me", "GET", STAFF),
    api("tickets", "GET", STAFF, programs=FOR_ALL_PROGRAMS),
    api("tickets", "POST", SUPERVISING, data=asked, programs=(OK, FORBIDDEN)),
    api("ticket", "GET", SEEING, of_ticket, programs=FOR_OWN_CUSTOMER),
    api("ticket", "PATCH", WORKING, of_ticket, data=lambda t, w: {"priority": "high"}),
    api("messages", "GET", SEEING, of_ticket, programs=FOR_OWN_CUSTOMER),
    api("messages", "POST", WORKING, of_ticket, data=said("manager"), programs=(FORBIDDEN, HIDDEN)),
    api("messages", "POST", SEEING, of_ticket, data=said("note"), programs=(FORBIDDEN, HIDDEN)),
    api("messages", "POST", SPEAKING, of_ticket, data=said("client"), programs=FOR_OWN_CUSTOMER),
    # The reply has not left yet, and a customer sees none of it before.
    api("message", "GET", SEEING, of_reply, programs=(HIDDEN, HIDDEN)),
    api("message", "GET", SEEING, of_reply, before=settle(DeliveryState.SENT), programs=FOR_OWN_CUSTOMER),
    api("message", "PATCH", WORKING, of_reply, data=lambda t, w: {"text": "Другими словами."}),
    api("message", "DELETE", WORKING, of_reply),
    api("message", "DELETE", WORKING, of_reply, before=settle(DeliveryState.SENT)),
    api("file", "GET", SEEING, of_file, programs=FOR_OWN_CUSTOMER),
    api("customers", "GET", STAFF, programs=FOR_ALL_PROGRAMS),
    api("customer", "GET", SEEING, of_customer, programs=FOR_OWN_CUSTOMER),
    api("events", "GET", STAFF, programs=FOR_ALL_PROGRAMS),
    api("teams", "GET", STAFF),
    api("topics", "GET", STAFF, programs=FOR_ALL_PROGRAMS),
    api("tags", "GET", STAFF),
    api("session", "GET", SEEING, of_chat, before=open_chat, programs=FOR_OWN_CUSTOMER),
    api("sessions", "POST", SPEAKING, data=pending, before=open_chat, programs=(OK, FORBIDDEN)),
    api("schema", "GET", EVERYONE, programs=FOR_ALL_PROGRAMS),
    api("docs", "GET", EVERYONE, programs=FOR_ALL_PROGRAMS),
    api("nothing", "GET", dict.fromkeys(PEOPLE, HIDDEN), programs=(HIDDEN, HIDDEN)),
]

ROUTES = [*SITE, *DESK, *ADMIN, *API]

# Django's admin adds these without names: /admin/tickets/ticket/1000/ → …/change/, and a 404 for everything else.
UNNAMED = {"admin:<path:object_id>/", "admin:(?P<url>.*)$"}


def names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield namespace + (entry.name or str(entry.pattern))
        else:
            yield from names(entry, namespace + (f"{entry.namespace}:" if entry.namespace else ""))


def test_every_route_has_a_row() -> None:
    missing = set(names(get_resolver())) - {route.name for route in ROUTES} - UNNAMED
    assert not missing, (
        f"Nobody has said who may reach {sorted(missing)}. "
        "Add a row with each method it takes to DESK, ADMIN, API or SITE in helpdesk/tests/test_access.py."
    )


def test_every_row_has_a_route() -> None:
    assert {route.name for route in ROUTES} <= set(names(get_resolver()))


# The world.


@pytest.fixture
def at_work(aigerim: User) -> User:
    """Aigerim with the desk open: nobody may take her tickets over."""
    operations.set_presence(user=aigerim, presence=Presence.ONLINE)
    return aigerim


def furnished(ticket: Ticket, owner: User) -> Target:
    """A ticket of `owner` with a reply on its way, a file, and one that could not be fetched."""
    ticket = operations.take(ticket_id=ticket.pk, actor=owner)
    photo = operations.IncomingFile(kind=ContentType.PHOTO)
    sent = operations.Incoming(sent_at=timezone.now(), content_type=ContentType.PHOTO, files=[photo, photo])
    message = operations.receive(customer=ticket.customer, incoming=sent, ticket=ticket).message
    file, lost_file = message.attachments.order_by("pk")
    file = operations.attach_file(attachment_id=file.pk, file=ContentFile(b"\x89PNG\r\n\x1a\n" + b"\0" * 64))
    file.thumbnail.save("", ContentFile(b"RIFF"))
    operations.fail_file(attachment_id=lost_file.pk, state=AttachmentState.FAILED)
    reply = operations.reply(ticket_id=ticket.pk, actor=owner, text="Смотрим.", client_id=uuid.uuid4())
    file.refresh_from_db()
    return Target(owner, Ticket.objects.get(pk=ticket.pk), reply, file, lost_file)


def member(login: str, team: Team) -> User:
    user = person(login, login.title(), "Сериков", MANAGERS)
    team.members.add(user)
    operations.set_presence(user=user, presence=Presence.ONLINE)
    return user


def call_of(webhook: Webhook, ticket: Ticket) -> WebhookCall:
    event = Event.objects.filter(ticket=ticket).order_by("pk")[0]
    return WebhookCall.objects.create(webhook=webhook, event=event, status=200, milliseconds=5)


@pytest.fixture
def world(at_work: User, bolat: User, dana: User, saule: User, timur: Customer, team: Team, strict_team: Team) -> World:
    operations.set_customer_phone(customer=timur, phone="+77070004183", verified=True)
    lena = Customer.objects.create(telegram_user_id=700_002, name="Лена Пак", phone="+77070004184")
    secret = wrote(lena, "Утечка данных.").ticket
    operations.move_to_team(ticket_id=secret.pk, actor=saule, team_id=strict_team.pk)
    owner, strict_colleague = member("murat", strict_team), member("zarina", strict_team)
    target = furnished(wrote(timur, "Не включается ноутбук.").ticket, at_work)
    strict_target = furnished(secret, owner)
    portal = operations.create_service_account(actor=saule, name="Портал", scopes=Scope.values)
    topic, tag = Topic.objects.create(name="Гарантия"), Tag.objects.create(name="повреждение")
    call = OutboundCall.objects.create(
        bot_id=7, chat_id=1, method="sendMessage", lane=Lane.REPLY, state=DeliveryState.FAILED
    )
    update = Update.objects.create(bot_id=7, update_id=1, digest="1", raw="{}", chat_id=1)
    bot = BotStatus.objects.create(bot_id=7)
    forum_topic = ForumTopic.objects.create(bot_id=7, chat_id=1, ticket=target.ticket)
    outage = Outage.objects.create(bot_id=7, began_at=timezone.now() - timedelta(hours=1), ended_at=timezone.now())
    operations.settle(delivery_id=strict_target.reply.pk, state=DeliveryState.FAILED, parts_sent=0)
    webhook = operations.add_webhook(actor=saule, name="Склад", address="https://example.com/hook")
    return World(
        people={
            STRANGER: dana,
            COLLEAGUE: bolat,
            STRICT: strict_colleague,
            ASSIGNEE: at_work,
            SUPERVISOR: saule,
            DISABLED: member("nurlan", team),
        },
        of_aigerim=target,
        of_strict_team=strict_target,
        rows={
            "tickets_ticket": target.ticket.pk,
            "tickets_customer": timur.pk,
            "tickets_delivery": strict_target.reply.pk,
            "tickets_user": bolat.pk,
            "tickets_team": team.pk,
            "tickets_topic": topic.pk,
            "tickets_tag": tag.pk,
            "tickets_webhook": webhook.pk,
            "tickets_webhookcall": call_of(webhook, target.ticket).pk,
            "tickets_job": operations.add_job(kind="close_resolved").pk,
            "tickets_serviceaccount": portal.pk,
            "botbridge_botstatus": bot.pk,
            "botbridge_forumtopic": forum_topic.pk,
            "botbridge_update": update.pk,
            "botbridge_outboundcall": call.pk,
            "botbridge_outage": outage.pk,
        },
    )


def browser_of(world: World, who: str) -> Client:
    browser = Client()
    if who != ANONYMOUS:
        browser.force_login(world.people[who])
    return browser


def answer(response: HttpResponse) -> str | int:
    """`OK`, `LOGIN`, or the status where it is neither."""
    is_redirect = response.status_code == 302
    asked_to_sign_in = (f"{reverse('tickets:login')}?next=", f"{reverse('admin:login')}?next=")
    if is_redirect and response["Location"].startswith(asked_to_sign_in):
        return LOGIN
    if response.status_code == 401 and b'autocomplete="current-password"' in response.content:
        return LOGIN  # an act's text is carried through the sign-in page itself
    return OK if is_redirect or response.status_code in (200, 201, 204) else response.status_code


class Undone(Exception):
    """Leaves the block whose writes must not stay."""


def ask(route: Route, world: World, who: str, browser: Client) -> str | int:
    """The answer to one person; whatever the act changed is taken back."""
    return ask_for(route, world, world.target(who), browser)


def ask_for(route: Route, world: World, target: Target, browser: Client, **headers: str) -> str | int:
    given: str | int = "nothing"
    try:
        with transaction.atomic():
            route.before(target)
            address = reverse(route.name, kwargs=route.where(target, world))
            send = getattr(browser, route.method.lower())
            kind = {"content_type": "application/json"} if route.is_json and route.method != "GET" else {}
            given = answer(send(address, route.data(target, world), headers=route.headers | headers, **kind))
            raise Undone
    except Undone:
        return given


@pytest.mark.parametrize("who", PEOPLE)
def test_every_route_gives_the_matrix_answer(world: World, who: str, db: None) -> None:
    browser = browser_of(world, who)
    if who == DISABLED:
        operations.disable_user(actor=world.people[SUPERVISOR], user=world.people[who])
    cookies = browser.cookies
    wrong = []
    for route in ROUTES:
        # Some of these acts end the session or change the language.
        browser.cookies = deepcopy(cookies)
        given = ask(route, world, who, browser)
        if given != route.answers[who]:
            wrong.append(f"{route.method} {route.name}: expected {route.answers[who]}, got {given}")
    assert not wrong, "\n".join([f"For {who}:", *wrong])


@pytest.mark.parametrize("named", [0, 1])
def test_every_route_of_the_api_gives_programs_the_matrix_answer(world: World, saule: User, named: int) -> None:
    account = ServiceAccount.objects.get()
    target = world.of_aigerim
    customers = [target.ticket.customer, world.of_strict_team.ticket.customer]
    headers = {
        "Authorization": f"Bearer {operations.issue_key(actor=saule, account=account)}",
        "X-Telegram-User-Id": str(customers[named].telegram_user_id),
    }
    wrong = []
    for route in API:
        given = ask_for(route, world, target, Client(), **headers)
        if given != route.programs[named]:
            wrong.append(f"{route.method} {route.name}: expected {route.programs[named]}, got {given}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", [ASSIGNEE, SUPERVISOR])
def test_the_desk_refuses_other_methods(world: World, who: str) -> None:
    browser = browser_of(world, who)
    taken: dict[str, set[str]] = {}
    for route in DESK:
        taken.setdefault(route.name, set()).add(route.method)
    taken["tickets:login"].add("POST")
    for route in DESK:
        address = reverse(route.name, kwargs=route.where(world.target(who), world))
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken[route.name]:
            status = browser.generic(method, address).status_code
            assert status == 405, f"{method} {route.name}: {status}"


# Ids inside the body, the query and the path.


@pytest.fixture
def assignee(world: World) -> Client:
    """Aigerim's browser."""
    return browser_of(world, ASSIGNEE)


def post(browser: Client, name: str, target: Target, **data: Any) -> Any:
    address = reverse(f"tickets:{name}", args=[target.ticket.pk])
    return browser.post(address, {"seen": target.seen, "client_id": uuid.uuid4(), "text": "Ответ.", **data})


def test_a_ticket_is_not_handed_to_someone_outside_its_team(world: World, assignee: Client) -> None:
    for outsider in (world.people[STRANGER], world.people[STRICT]):
        assert post(assignee, "assign", world.of_aigerim, assignee=outsider.pk).status_code == 422
    world.of_aigerim.ticket.refresh_from_db()
    assert world.of_aigerim.ticket.assignee == world.of_aigerim.owner


def test_a_disabled_person_is_made_responsible_for_nothing(world: World, assignee: Client) -> None:
    operations.disable_user(actor=world.people[SUPERVISOR], user=world.people[COLLEAGUE])
    assert post(assignee, "assign", world.of_aigerim, assignee=world.people[COLLEAGUE].pk).status_code == 422


def test_a_message_of_another_ticket_is_not_quoted(world: World, assignee: Client) -> None:
    before = world.of_aigerim.ticket.messages.count()
    foreign = world.of_strict_team.reply
    assert post(assignee, "reply", world.of_aigerim, quote=foreign.pk).status_code == 422
    assert world.of_aigerim.ticket.messages.count() == before
    page = assignee.get(reverse("tickets:ticket", args=[world.of_aigerim.ticket.pk]), {"quote": foreign.pk})
    assert f'value="{foreign.pk}"' not in page.content.decode()


def test_a_draft_keeps_no_quote_of_another_ticket(world: World, assignee: Client) -> None:
    post(assignee, "draft", world.of_aigerim, quote=world.of_strict_team.reply.pk)
    draft = Draft.objects.filter(user=world.people[ASSIGNEE]).first()
    assert draft is None or draft.quote is None


def test_reading_is_marked_on_messages_of_the_ticket_only(world: World, assignee: Client) -> None:
    post(assignee, "seen", world.of_aigerim, seen=world.of_strict_team.reply.pk)
    readers = TicketReader.objects.filter(seen_message=world.of_strict_team.reply, user=world.people[ASSIGNEE])
    assert not readers.exists()


def test_only_topics_in_use_are_set(world: World, assignee: Client) -> None:
    retired = Topic.objects.create(name="Старая", retired_at=timezone.now())
    for topic_id in (retired.pk, 999_999):
        assert post(assignee, "topic", world.of_aigerim, topic=topic_id).status_code == 422


@pytest.mark.parametrize("who", [ASSIGNEE, SUPERVISOR])
@pytest.mark.parametrize("name", ["message", "edit", "withdraw", "release", "arrived", "resend"])
def test_a_message_is_reached_through_its_own_ticket_only(world: World, who: str, name: str) -> None:
    foreign = {"ticket_id": world.of_aigerim.ticket.pk, "message_id": world.of_strict_team.reply.pk}
    address = reverse(f"tickets:{name}", kwargs=foreign)
    browser = browser_of(world, who)
    send = browser.get if name == "message" else browser.post
    assert send(address, {"text": "Чужое."}, headers=HTMX).status_code == 404


@pytest.mark.parametrize("who", [ASSIGNEE, SUPERVISOR])
def test_a_file_is_reached_through_its_own_ticket_only(world: World, who: str) -> None:
    browser = browser_of(world, who)
    ticket_id = world.of_aigerim.ticket.pk
    file, lost = world.of_strict_team.file, world.of_strict_team.lost_file
    assert browser.get(reverse("tickets:file", args=[ticket_id, file.pk])).status_code == 404
    assert browser.post(reverse("tickets:retry-file", args=[ticket_id, lost.pk])).status_code == 404


def test_a_hidden_ticket_and_an_absent_one_are_told_alike(world: World) -> None:
    browser = browser_of(world, STRANGER)
    hidden = browser.get(reverse("tickets:ticket", args=[world.of_aigerim.ticket.pk]))
    absent = browser.get(reverse("tickets:ticket", args=[999_999]))
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert "ноутбук" not in hidden.content.decode()


# What the matrix says of tickets and people as they change.


def sees(user: User, ticket: Ticket) -> bool:
    return Ticket.objects.visible_to(User.objects.get(pk=user.pk)).filter(pk=ticket.pk).exists()


def test_a_ticket_without_a_topic_is_seen_by_the_default_team(
    timur: Customer, aigerim: User, dana: User, other_team: Team
) -> None:
    ticket = wrote(timur, "Просто вопрос.").ticket
    assert ticket.topic is None
    assert sees(aigerim, ticket)
    assert not sees(dana, ticket)


def test_a_topics_team_sees_its_tickets(timur: Customer, aigerim: User, dana: User, other_team: Team) -> None:
    topic = Topic.objects.create(name="Возврат", team=other_team)
    incoming = operations.Incoming(text="Верните деньги.", sent_at=timezone.now())
    ticket = operations.receive(customer=timur, incoming=incoming, topic=topic).ticket
    assert sees(dana, ticket)
    assert not sees(aigerim, ticket)


def test_a_disabled_persons_tickets_are_back_in_the_queue(
    ticket: Ticket, aigerim: User, bolat: User, saule: User
) -> None:
    operations.disable_user(actor=saule, user=aigerim)
    ticket.refresh_from_db()
    assert ticket.assignee is None
    browser = Client()
    browser.force_login(bolat)
    assert str(ticket.pk) in browser.get(reverse("tickets:queue"), {"view": "free"}).content.decode()
    assert not sees(aigerim, ticket)


def test_a_strict_teams_ticket_is_seen_while_free_and_by_its_owner(world: World) -> None:
    ticket, colleague = world.of_strict_team.ticket, world.people[STRICT]
    assert not sees(colleague, ticket)
    operations.assign(ticket_id=ticket.pk, actor=world.of_strict_team.owner, assignee_id=None)
    assert sees(colleague, ticket)
    operations.take(ticket_id=ticket.pk, actor=colleague)
    assert sees(colleague, ticket)
    assert not sees(world.of_strict_team.owner, ticket)


def test_who_is_mentioned_sees_the_ticket(world: World) -> None:
    target, dana = world.of_aigerim, world.people[STRANGER]
    operations.note(ticket_id=target.ticket.pk, actor=target.owner, text="@Дана Ким, взгляните", client_id=uuid.uuid4())
    assert sees(dana, target.ticket)


@pytest.mark.parametrize("who", [who for who in PEOPLE if who != ANONYMOUS])
def test_the_queue_holds_the_active_tickets_the_matrix_shows(world: World, timur: Customer, who: str) -> None:
    target, strict = world.of_aigerim, world.of_strict_team
    operations.note(ticket_id=target.ticket.pk, actor=target.owner, text="@Дана Ким, взгляните", client_id=uuid.uuid4())
    solved = operations.take(ticket_id=wrote(timur, "Другое").ticket.pk, actor=target.owner)
    operations.resolve(ticket_id=solved.pk, actor=target.owner)
    for strict_owner in (strict.owner, None):
        Ticket.objects.filter(pk=strict.ticket.pk).update(assignee=strict_owner)
        user = User.objects.get(pk=world.people[who].pk)
        assert set(Ticket.objects.active_visible_to(user)) == set(Ticket.objects.visible_to(user).active())
    assert Ticket.objects.active_visible_to(user).exists()


def test_a_colleagues_ticket_is_taken_over_only_while_they_are_away(world: World) -> None:
    target, bolat = world.of_aigerim, browser_of(world, COLLEAGUE)
    assert post(bolat, "take", target).status_code == 403
    operations.set_presence(user=target.owner, presence=Presence.OFFLINE)
    assert answer(post(bolat, "take", target)) == OK
    target.ticket.refresh_from_db()
    assert target.ticket.assignee == world.people[COLLEAGUE]


def test_losing_the_last_group_closes_the_desk(world: World) -> None:
    bolat = world.people[COLLEAGUE]
    bolat.groups.clear()
    browser = browser_of(world, COLLEAGUE)
    assert browser.get(reverse("tickets:ticket", args=[world.of_aigerim.ticket.pk])).status_code in (403, 404)
    assert str(world.of_aigerim.ticket) not in browser.get(reverse("tickets:queue")).content.decode()


@pytest.mark.parametrize("who", [who for who in PEOPLE if who != ANONYMOUS])
@pytest.mark.parametrize("status", ["open", "closed"])
def test_one_ticket_is_seen_by_whom_the_set_shows_it_to(world: World, other_team: Team, who: str, status: str) -> None:
    """The predicate answers most often without the query that the set is; the two must never differ."""
    user = User.objects.get(pk=world.people[who].pk)
    ticket = world.of_aigerim.ticket
    closed_at = timezone.now() if status == "closed" else None
    owners = [None, *world.people.values()]
    teams = [ticket.team, world.of_strict_team.ticket.team, other_team]
    for owner, team, is_strict in itertools.product(owners, teams, [True, False]):
        Team.objects.filter(pk=team.pk).update(is_strict=is_strict)
        Ticket.objects.filter(pk=ticket.pk).update(assignee=owner, team=team, status=status, closed_at=closed_at)
        now = Ticket.objects.select_related("team").get(pk=ticket.pk)
        assert access.can_see(user, now) == Ticket.objects.visible_to(user).filter(pk=ticket.pk).exists()
