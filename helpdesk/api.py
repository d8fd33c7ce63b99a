"""The API's addresses put together, its document and its reading room."""

from typing import Any

from django.urls import URLPattern, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from botbridge.api import OneSession, Sessions
from tickets.api import urls


class Document(SpectacularAPIView):
    """The OpenAPI document; it says nothing that the public source does not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class ReadingRoom(SpectacularSwaggerSplitView):
    """Swagger UI from our own files, its script apart: pages of ours carry none inside."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    url_name = "api:schema"


OF_THE_SITE: list[tuple[str, Any, str]] = [
    ("sessions", Sessions, "sessions"),
    ("sessions/<int:user_id>", OneSession, "session"),
    ("schema", Document, "schema"),
    ("docs", ReadingRoom, "docs"),
]

app_name = "api"
urlpatterns: list[URLPattern] = [
    *urls.both_ways([*urls.ROUTES, *OF_THE_SITE]),
    re_path("", urls.Nothing.as_view(), name="nothing"),
]
