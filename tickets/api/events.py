"""What has happened on tickets, read from where a program left off."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets.access import Program
from tickets.api.fields import MAX_ID, Moment
from tickets.api.pages import MAX_LIMIT
from tickets.api.permissions import OpenToPrograms
from tickets.api.schema import problems
from tickets.api.strict import AnyRequest, read_query
from tickets.api.tickets import PriorityField
from tickets.models import AlterationState, AttachmentState, DeliveryState, Event, Scope
from tickets.pages.events import events_after

DEFAULT_LIMIT = 100
#: States of a reply (`delivery`), of a file (`file`) and, once it has ended, of a change at the customer's (`altered`).
ALTERED = {AlterationState.DONE.value, AlterationState.FAILED.value}
STATES = sorted({*DeliveryState.values, *AttachmentState.values, *ALTERED})

AN_EVENT = {
    "id": 90_125,
    "ticketId": 1042,
    "kind": "delivery",
    "createdAt": "2026-03-24T10:16:12.654321Z",
    "actor": None,
    "serviceAccount": None,
    "message": 5310,
    "assignee": None,
    "team": None,
    "topic": None,
    "tag": None,
    "priority": None,
    "state": "sent",
    "until": None,
}


class EventOut(serializers.Serializer[Any]):
    """A line of a ticket's history: ids and enums, never what anybody wrote.

    `message`, `assignee`, `team`, `topic`, `tag`, `priority`, `state` and `until` are there where the kind has them.
    Service accounts learn neither `actor` nor `serviceAccount`.
    """

    id = serializers.IntegerField()
    ticketId = serializers.IntegerField(source="ticket_id")
    kind = serializers.ChoiceField(choices=Event.Kind.choices)
    createdAt = Moment(source="created_at")
    actor = serializers.SerializerMethodField()
    serviceAccount = serializers.SerializerMethodField()
    message = serializers.IntegerField(source="data.message", allow_null=True)
    assignee = serializers.IntegerField(source="data.to", allow_null=True)
    team = serializers.IntegerField(source="data.team", allow_null=True)
    topic = serializers.IntegerField(source="data.topic", allow_null=True)
    tag = serializers.IntegerField(source="data.tag", allow_null=True)
    priority = PriorityField(source="data.priority", allow_null=True)
    state = serializers.ChoiceField(choices=STATES, source="data.state", allow_null=True)
    until = Moment(source="data.until", allow_null=True)

    def get_actor(self, event: Event) -> int | None:
        return None if self.context["for_customer"] else event.actor_id

    def get_serviceAccount(self, event: Event) -> str | None:
        account = event.service_account
        return account.name if account is not None and not self.context["for_customer"] else None


class EventsPage(serializers.Serializer[Any]):
    """`nextCursor` is the next call's `after`; `more` says that there is something to fetch at once."""

    events = EventOut(many=True)
    nextCursor = serializers.IntegerField()
    more = serializers.BooleanField()


class EventsQuery(serializers.Serializer[Any]):
    """From where, and how much."""

    after = serializers.IntegerField(
        min_value=0,
        max_value=MAX_ID,
        default=0,
        help_text="`nextCursor` of the page before; 0 begins at the beginning.",
    )
    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)


class Events(OpenToPrograms, APIView):
    scopes = {"GET": Scope.EVENTS_READ}

    @extend_schema(
        operation_id="listEvents",
        tags=["events"],
        parameters=[EventsQuery],
        responses={200: EventsPage, **problems(401, 403, 409, 422, 429)},
        examples=[
            OpenApiExample(
                "a page",
                value={"events": [AN_EVENT], "nextCursor": 90_125, "more": False},
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: AnyRequest) -> Response:
        """What happened after an event, the oldest first, on the tickets this caller sees now.

        Each event is given once and none is skipped: one whose neighbours are still being written waits for them, as a
        rule for milliseconds. A page may be short or empty although `more` follows.
        """
        query = read_query(EventsQuery, request)
        stretch = events_after(request.user, query["after"], query["limit"])
        context = {"for_customer": isinstance(request.user, Program)}
        events = EventOut(stretch.events, many=True, context=context).data
        return Response({"events": events, "nextCursor": stretch.reached, "more": stretch.more})
