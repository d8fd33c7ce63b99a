"""The files of a ticket."""

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from tickets.api.messages import messages_of
from tickets.api.permissions import OpenToPrograms
from tickets.api.schema import problems
from tickets.api.strict import AnyRequest
from tickets.api.tickets import find_ticket
from tickets.models import Attachment, Scope
from tickets.serving import serve_file


class File(OpenToPrograms, APIView):
    scopes = {"GET": Scope.MESSAGES_READ}

    @extend_schema(
        operation_id="getFile",
        tags=["messages"],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, "The piece `Range` asked for."),
            304: OpenApiResponse(description="The file has the `ETag` of `If-None-Match`."),
            416: OpenApiResponse(description="It ends before that piece; `Content-Range` says how long it is."),
            **problems(401, 403, 404, 429),
        },
    )
    def get(self, request: AnyRequest, ticket_id: int, attachment_id: int) -> HttpResponseBase:
        """A file's bytes; `Range` gives a piece of them."""
        ticket = find_ticket(request.user, ticket_id)
        if not Attachment.objects.filter(pk=attachment_id, message__in=messages_of(request.user, ticket)).exists():
            raise NotFound
        return serve_file(request._request, ticket, attachment_id)
