"""The API's part that knows the bot: chat sessions, under the predecessor's paths."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from botbridge.sessions import ALBUMS_REMEMBERED, PendingAlbum, session_of, set_pending_media
from tickets.api.fields import MAX_USER_ID, Id, Text
from tickets.api.permissions import OpenToPrograms
from tickets.api.schema import problems
from tickets.api.strict import AnyRequest, StrictSerializer, read_body
from tickets.api.tickets import refuse_another_customer
from tickets.models import Scope


class Album(StrictSerializer):
    """An album whose later parts may still come, and the ticket they belong to."""

    mediaGroupId = Text(max_length=64, source="media_group_id")
    ticketId = Id(source="ticket")


class SessionOut(serializers.Serializer[Any]):
    """Where one customer's chat stands. `currentTicket` gets what the customer writes next."""

    telegramUserId = serializers.IntegerField(source="chat_id")
    state = serializers.CharField()
    currentTicket = serializers.IntegerField(source="next_ticket_id", allow_null=True)
    language = serializers.CharField(source="customer.language")
    pendingMedia = Album(many=True, source="pending_media")


class SessionIn(StrictSerializer):
    """Which albums of a customer are still on their way."""

    telegramUserId = serializers.IntegerField(min_value=1, max_value=MAX_USER_ID)
    pendingMedia = Album(many=True, max_length=ALBUMS_REMEMBERED, source="pending_media")  # type: ignore[call-arg]  # of its list


class Sessions(OpenToPrograms, APIView):
    scopes = {"POST": Scope.SESSIONS_WRITE}

    @extend_schema(
        operation_id="saveSession",
        tags=["sessions"],
        request=SessionIn,
        responses={200: SessionOut, **problems(400, 401, 403, 404, 409, 413, 415, 422, 429)},
    )
    def post(self, request: AnyRequest) -> Response:
        """Set a chat's pending albums, for supervisors and service accounts."""
        values = read_body(SessionIn, request)
        refuse_another_customer(request.user, values["telegramUserId"])
        albums = [
            PendingAlbum(media_group_id=each["media_group_id"], ticket=each["ticket"])
            for each in values["pending_media"]
        ]
        session = set_pending_media(actor=request.user, telegram_user_id=values["telegramUserId"], pending_media=albums)
        return Response(SessionOut(session).data)


class OneSession(OpenToPrograms, APIView):
    scopes = {"GET": Scope.SESSIONS_READ}

    @extend_schema(
        operation_id="getSession", tags=["sessions"], responses={200: SessionOut, **problems(401, 403, 404, 429)}
    )
    def get(self, request: AnyRequest, user_id: int) -> Response:
        """A customer's chat by the customer's Telegram user id."""
        return Response(SessionOut(session_of(request.user, user_id)).data)
