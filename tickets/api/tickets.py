"""Tickets: the list, one, a new one, and changes to it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import operations
from tickets.access import Program
from tickets.api.fields import MAX_USER_ID, Id, Moment, Text
from tickets.api.pages import CursorPagination, CursorQuery, walk
from tickets.api.permissions import OpenToPrograms
from tickets.api.repeats import MAX_KEY, once
from tickets.api.schema import problems
from tickets.api.strict import AnyRequest, ApiRequest, StrictSerializer, read_body, read_query
from tickets.models import SUBJECT_LENGTH, Priority, Scope, Status, Tag, Ticket, User
from tickets.operations import NotAllowed, NotVisible, Seen
from tickets.text import MAX_TEXT

PRIORITIES = [priority.name.lower() for priority in Priority]
#: What a program may set; waiting follows from replies, closed from time.
SETTABLE = [Status.OPEN.value, Status.RESOLVED.value]
NOBODY, MYSELF = "none", "me"
#: How we sort and share our work, which no customer sees.
INTERNAL: dict[str, Any] = {"priority": None, "assignee": None, "team": None, "tags": []}
INTERNAL_FILTERS = ("assignee", "team", "tag")

A_TICKET = {
    "id": 1042,
    "telegramUserId": 700_001,
    "customerName": "Тимур Ахметов",
    "subject": "Заказ 719-204",
    "status": "open",
    "priority": "normal",
    "assignee": 7,
    "team": 1,
    "topic": None,
    "tags": ["доставка"],
    "createdAt": "2026-03-24T10:15:00.123456Z",
    "updatedAt": "2026-03-24T10:16:12.654321Z",
    "lastMessageAt": "2026-03-24T10:15:00.123456Z",
}


class PriorityField(serializers.ChoiceField):
    """low, normal, high or urgent."""

    def __init__(self, **options: Any) -> None:
        options.pop("choices", None)
        super().__init__(choices=PRIORITIES, **options)

    def to_representation(self, value: Any) -> str:
        return Priority(value).name.lower()

    def to_internal_value(self, data: Any) -> Priority:  # type: ignore[override]  # the domain's word for it
        return Priority[str(super().to_internal_value(data)).upper()]


@extend_schema_field(serializers.ListField(child=serializers.CharField()))
class TagNames(serializers.Field):  # type: ignore[type-arg]
    """A ticket's tags by their names."""

    def to_representation(self, value: Any) -> list[str]:
        return sorted(tag.name for tag in value.all())


class TicketOut(serializers.Serializer[Any]):
    """A ticket. `assignee`, `team` and `topic` are ids.

    Service accounts get null for `priority`, `assignee` and `team`, and no `tags`: customers see none of it.
    """

    id = serializers.IntegerField()
    telegramUserId = serializers.IntegerField(source="customer.telegram_user_id", allow_null=True)
    customerName = serializers.CharField(source="customer.display_name")
    subject = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    priority = PriorityField(allow_null=True)
    assignee = serializers.IntegerField(source="assignee_id", allow_null=True)
    team = serializers.IntegerField(source="team_id", allow_null=True)
    topic = serializers.IntegerField(source="topic_id", allow_null=True)
    tags = TagNames()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")
    lastMessageAt = Moment(source="last_message_at")


class TicketsPage(serializers.Serializer[Any]):
    tickets = TicketOut(many=True)
    pagination = CursorPagination()


class TicketsQuery(CursorQuery):
    """Filters; several of them narrow the list together."""

    user_id = Id(required=False, help_text="The customer's Telegram user id.")
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    assignee = serializers.RegexField(
        r"\A(me|none|[0-9]{1,18})\Z", trim_whitespace=False, required=False, help_text="A person's id, `me` or `none`."
    )
    team = Id(required=False)
    topic = Id(required=False)
    tag = serializers.CharField(max_length=40, required=False)
    search = serializers.CharField(
        max_length=100, required=False, help_text="A ticket's number, or a part of its subject or its customer's name."
    )
    updated_since = Moment(
        required=False,
        help_text="Without an offset it is UTC. A change shows some moments after its time: ask from a minute before "
        "the last look, or follow `GET /api/v1/events`, which passes nothing over.",
    )


class NewTicket(StrictSerializer):
    """A question of a customer's. A person takes it down, say from a phone call; a service account hands it over."""

    telegramUserId = serializers.IntegerField(min_value=1, max_value=MAX_USER_ID)
    subject = Text(max_length=SUBJECT_LENGTH, allow_blank=True, default="")
    text = Text(max_length=MAX_TEXT)
    topic = Id(allow_null=True, default=None)
    clientId = Text(max_length=MAX_KEY, required=False)


class TicketChange(StrictSerializer):
    """What is to become of a ticket; what is absent stays. `tags` replaces all of them."""

    status = serializers.ChoiceField(choices=SETTABLE, required=False)
    priority = PriorityField(required=False)
    assignee = Id(allow_null=True, required=False)
    topic = Id(allow_null=True, required=False)
    tags = serializers.ListField(child=Text(max_length=40), max_length=50, required=False)
    seenMessageId = Id(
        min_value=0, required=False, help_text="The last message the caller knows; newer ones refuse the change."
    )
    clientId = Text(max_length=MAX_KEY, required=False)


def shown_to(caller: User | Program, ticket: Ticket) -> dict[str, Any]:
    """A ticket in JSON, as far as this caller may know it."""
    body = TicketOut(ticket).data
    return body | INTERNAL if isinstance(caller, Program) else body


def tickets_of(user: User | Program) -> QuerySet[Ticket]:
    """What this caller sees."""
    return in_full(Ticket.objects.visible_to(user))


def in_full(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """These tickets with all that JSON tells of them."""
    return tickets.select_related("customer").prefetch_related("tags")


def find_ticket(user: User | Program, ticket_id: int) -> Ticket:
    """:raises NotFound: absent and hidden are told alike."""
    ticket = tickets_of(user).filter(pk=ticket_id).first()
    if ticket is None:
        raise NotFound(NotVisible.message)
    return ticket


class Tickets(OpenToPrograms, APIView):
    scopes = {"GET": Scope.TICKETS_READ, "POST": Scope.TICKETS_WRITE}

    @extend_schema(
        operation_id="listTickets",
        tags=["tickets"],
        parameters=[TicketsQuery],
        responses={200: TicketsPage, **problems(401, 403, 422, 429)},
        examples=[
            OpenApiExample(
                "a page",
                value={
                    "tickets": [A_TICKET],
                    "pagination": {"total": 1, "limit": 50, "offset": 0, "nextCursor": None},
                },
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: AnyRequest) -> Response:
        """The tickets this person sees, the newest first; for a service account those of its customer."""
        query = read_query(TicketsQuery, request)
        refuse_internal_filters(request.user, query)
        rows, pagination = walk(filtered(tickets_of(request.user), query, request.user), query)
        return Response({"tickets": [shown_to(request.user, row) for row in rows], "pagination": pagination})

    @extend_schema(
        operation_id="createTicket",
        tags=["tickets"],
        request=NewTicket,
        examples=[
            OpenApiExample(
                "a question",
                value={
                    "telegramUserId": 700_001,
                    "subject": "Заказ 719-204",
                    "text": "Где мой заказ?",
                    "clientId": "4f6f0c1e-1d0a-4a57-8f53-0b6f4c1f9d20",
                },
                request_only=True,
            ),
            OpenApiExample("opened", value=A_TICKET, response_only=True, status_codes=["201"]),
        ],
        responses={201: TicketOut, **problems(400, 401, 403, 409, 413, 415, 422, 429)},
    )
    def post(self, request: AnyRequest) -> Response:
        """Open a ticket in a customer's name: for supervisors, recorded as entered by hand, and service accounts."""
        values = read_body(NewTicket, request)
        refuse_another_customer(request.user, values["telegramUserId"])

        def create() -> Response:
            ticket = open_ticket(request.user, values)
            return Response(shown_to(request.user, find_ticket(request.user, ticket.pk)), status=HTTPStatus.CREATED)

        return once(request, values.get("clientId"), create)


class OneTicket(OpenToPrograms, APIView):
    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="getTicket", tags=["tickets"], responses={200: TicketOut, **problems(401, 403, 404, 429)}
    )
    def get(self, request: AnyRequest, ticket_id: int) -> Response:
        """One ticket."""
        return Response(shown_to(request.user, find_ticket(request.user, ticket_id)))

    @extend_schema(
        operation_id="changeTicket",
        tags=["tickets"],
        request=TicketChange,
        responses={200: TicketOut, **problems(400, 401, 403, 404, 409, 413, 415, 422, 429)},
    )
    def patch(self, request: ApiRequest, ticket_id: int) -> Response:
        """Change a ticket; all of it or nothing."""
        values = read_body(TicketChange, request)

        def change() -> Response:
            # Asked in here: whoever sends it again has lost the ticket, perhaps by just this change.
            find_ticket(request.user, ticket_id)
            apply(ticket_id, request.user, values)
            # As its caller leaves it: handed over, it may be out of their sight now.
            return Response(shown_to(request.user, in_full(Ticket.objects.all()).get(pk=ticket_id)))

        return once(request, values.get("clientId"), change)


def open_ticket(caller: User | Program, values: dict[str, Any]) -> Ticket:
    """The one operation a new ticket asks for."""
    words: dict[str, Any] = {"subject": values["subject"], "text": values["text"], "topic_id": values["topic"]}
    if isinstance(caller, Program):
        return operations.open_by_program(program=caller, **words)
    return operations.open_by_hand(actor=caller, telegram_user_id=values["telegramUserId"], **words)


def refuse_another_customer(caller: User | Program, telegram_user_id: int) -> None:
    """:raises NotAllowed: a program's body is about another customer than its header."""
    if isinstance(caller, Program) and caller.telegram_user_id != telegram_user_id:
        raise NotAllowed(_("Это не тот клиент, от чьего имени сделан вызов."))


def refuse_internal_filters(caller: User | Program, query: dict[str, Any]) -> None:
    """:raises NotAllowed: a program asks by what customers do not see."""
    if isinstance(caller, Program) and not query.keys().isdisjoint(INTERNAL_FILTERS):
        raise NotAllowed(_("Программам этот отбор недоступен."))


def filtered(tickets: QuerySet[Ticket], query: dict[str, Any], user: User | Program) -> QuerySet[Ticket]:
    """The tickets a query asks for."""
    conditions: dict[str, Callable[[Any], Q]] = {
        "user_id": lambda value: Q(customer__telegram_user_id=value),
        "status": lambda value: Q(status=value),
        "assignee": lambda value: _assigned(value, user.pk if isinstance(user, User) else 0),
        "team": lambda value: Q(team=value),
        "topic": lambda value: Q(topic=value),
        "tag": lambda value: Q(tags__name=Tag.normal_form(value)),
        "search": _matching,
        "updated_since": lambda value: Q(updated_at__gte=value),
    }
    for name, condition in conditions.items():
        if name in query:
            tickets = tickets.filter(condition(query[name]))
    return tickets


def _assigned(value: str, own_id: int) -> Q:
    if value == NOBODY:
        return Q(assignee__isnull=True)
    return Q(assignee=own_id if value == MYSELF else int(value))


def _matching(term: str) -> Q:
    digits = term.strip().removeprefix("№")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return Q(pk=int(digits))
    words = term.strip()
    # SQLite folds the case of Latin letters only, so a name is also looked for as names are written.
    return Q(subject__icontains=words) | Q(customer__name__icontains=words) | Q(customer__name__contains=words.title())


@transaction.atomic
def apply(ticket_id: int, user: User, change: dict[str, Any]) -> None:
    """Each wish is an act of its own with its own line of history; a refused one takes the others back.

    Who takes the ticket takes it first, and who hands it over does so last: after that the rest is not theirs to say.
    Tags, topic and priority come before the status: once solved, the rest would be about a ticket that is over.
    """
    seen = Seen(change["seenMessageId"]) if "seenMessageId" in change else None
    common: dict[str, Any] = {"ticket_id": ticket_id, "actor": user, "seen": seen}
    hands_over = "assignee" in change and change["assignee"] != user.pk
    if "assignee" in change and not hands_over:
        _assign(common, user, change["assignee"])
    if "topic" in change:
        operations.set_topic(topic_id=change["topic"], **common)
    if "priority" in change:
        operations.set_priority(priority=change["priority"], **common)
    if "tags" in change:
        _set_tags(common, change["tags"])
    if "status" in change:
        _set_status(common, Status(change["status"]))
    if hands_over:
        _assign(common, user, change["assignee"])


def _assign(common: dict[str, Any], user: User, assignee_id: int | None) -> None:
    present = Ticket.objects.values_list("assignee_id", flat=True).get(pk=common["ticket_id"])
    if assignee_id == present:
        return
    if assignee_id == user.pk:
        operations.take(**common)
    else:
        operations.assign(assignee_id=assignee_id, **common)


def _set_tags(common: dict[str, Any], names: list[str]) -> None:
    wanted = {Tag.normal_form(name) for name in names}
    present = dict(Tag.objects.filter(tickets=common["ticket_id"]).values_list("name", "pk"))
    for name in sorted(present.keys() - wanted):
        operations.remove_tag(tag_id=present[name], **common)
    for name in sorted(wanted - present.keys()):
        operations.add_tag(name=name, **common)


def _set_status(common: dict[str, Any], status: Status) -> None:
    present = Ticket.objects.values_list("status", flat=True).get(pk=common["ticket_id"])
    if status == Status.RESOLVED:
        operations.resolve(**common)
    elif present in (Status.RESOLVED, Status.CLOSED):
        operations.reopen(**common)
