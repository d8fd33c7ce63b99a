"""Bodies with a cap: REST framework's own parsers read whatever comes."""

from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import APIException

from tickets.files import MEGABYTE, max_form

MAX_JSON = MEGABYTE


class TooLarge(APIException):
    """The body is over the cap; nothing of it has been read."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = _("Запрос слишком большой.")


def refuse_larger(than: int, context: Any) -> None:
    """A body without a length is read as empty (WSGI), so the header is the truth."""
    if int(context["request"].META.get("CONTENT_LENGTH") or 0) > than:
        raise TooLarge


class JSONParser(parsers.JSONParser):
    """JSON up to a megabyte."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_larger(MAX_JSON, parser_context)
        return super().parse(stream, media_type, parser_context)


class FormParser(parsers.MultiPartParser):
    """A form with files, up to what one message takes."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_larger(max_form(), parser_context)
        return super().parse(stream, media_type, parser_context)
