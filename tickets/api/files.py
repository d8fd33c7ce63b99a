"""The files of a ticket."""

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from tickets.api.schema import problems
from tickets.api.strict import ApiRequest
from tickets.api.tickets import find_ticket
from tickets.serving import serve_file


class File(APIView):
    @extend_schema(
        operation_id="getFile",
        tags=["messages"],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **problems(401, 403, 404, 429)},
    )
    def get(self, request: ApiRequest, ticket_id: int, attachment_id: int) -> HttpResponseBase:
        """A file's bytes; `Range` gives a piece of them."""
        return serve_file(request._request, find_ticket(request.user, ticket_id), attachment_id)
