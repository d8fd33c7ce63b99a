"""The API's addresses, each with and without a slash at its end: the predecessor's clients write both."""

from typing import Any

from django.urls import URLPattern, path
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets.api import auth, catalog, events, files, messages, tickets

ROUTES: list[tuple[str, Any, str]] = [
    ("auth/login", auth.Login, "login"),
    ("auth/refresh-token", auth.RefreshTokenView, "refresh-token"),
    ("auth/logout", auth.Logout, "logout"),
    ("auth/me", auth.MeView, "me"),
    ("tickets", tickets.Tickets, "tickets"),
    ("tickets/<int:ticket_id>", tickets.OneTicket, "ticket"),
    ("tickets/<int:ticket_id>/messages", messages.Messages, "messages"),
    ("tickets/<int:ticket_id>/messages/<int:message_id>", messages.OneMessage, "message"),
    ("tickets/<int:ticket_id>/files/<int:attachment_id>", files.File, "file"),
    ("customers", catalog.Customers, "customers"),
    ("customers/<int:customer_id>", catalog.OneCustomer, "customer"),
    ("events", events.Events, "events"),
    ("teams", catalog.Teams, "teams"),
    ("topics", catalog.Topics, "topics"),
    ("tags", catalog.Tags, "tags"),
]


def both_ways(routes: list[tuple[str, Any, str]]) -> list[URLPattern]:
    """Patterns for each route; the one without a slash comes last, since `reverse` takes the last of a name."""
    slashed = [path(f"{route}/", view.as_view(), name=name) for route, view, name in routes]
    return slashed + [path(route, view.as_view(), name=name) for route, view, name in routes]


class Nothing(APIView):
    """What answers under every other address of the API: a problem, not a page."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound

    def get(self, request: Request, **kwargs: Any) -> Response:
        raise NotFound

    post = put = patch = delete = get
