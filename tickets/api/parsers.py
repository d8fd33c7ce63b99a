"""Bodies with a cap: REST framework's own parsers read whatever comes."""

from http import HTTPStatus
from typing import IO, Any, cast

from django.utils.http import parse_header_parameters
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import APIException, ParseError
from rest_framework.utils import json

from tickets.files import MEGABYTE, max_form

MAX_JSON = MEGABYTE
NO_JSON = _("Это не JSON: {error}.")
NAMED_TWICE = _("Одно имя в JSON стоит дважды: какое из значений верно, не узнать.")
TOO_DEEP = _("Запрос не удалось разобрать: в нём слишком много вложенных скобок.")
UNREADABLE_PART = _("Часть формы не удалось прочесть: у неё нет имени, или имя файла записано не в UTF-8.")


class TooLarge(APIException):
    """The body is over the cap; nothing of it has been read."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = _("Запрос слишком большой.")


def refuse_larger(than: int, context: Any) -> None:
    """A body without a length is read as empty (WSGI), so the header is the truth."""
    if int(context["request"].META.get("CONTENT_LENGTH") or 0) > than:
        raise TooLarge


class JSONParser(parsers.JSONParser):
    """JSON up to a megabyte; a name twice in one object is refused, as parsers differ in what it means (RFC 8259)."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_larger(MAX_JSON, parser_context)
        try:
            text = str(stream.read(), parser_context["encoding"])
            return json.loads(text, parse_constant=json.strict_constant, object_pairs_hook=named_once)
        except RecursionError as error:
            raise ParseError(TOO_DEEP) from error
        except (LookupError, ValueError) as error:  # the former of a charset that is no charset of texts
            raise ParseError(NO_JSON.format(error=error)) from error


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON.

    :raises ParseError: a name comes twice.
    """
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ParseError(NAMED_TWICE)
    return named


class FormParser(parsers.MultiPartParser):
    """A form with files, up to what one message takes; a part that cannot be read is not passed over."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_larger(max_form(), parser_context)
        _type, options = parse_header_parameters(media_type or "")
        counted = CountedParts(stream, options.get("boundary", ""))
        try:
            form = super().parse(cast(IO[bytes], counted), media_type, parser_context)
        except UnicodeError as error:  # a charset that is no charset of texts
            raise ParseError(UNREADABLE_PART) from error
        read = sum(len(values) for _name, values in (*form.data.lists(), *form.files.lists()))
        if read < counted.parts:
            raise ParseError(UNREADABLE_PART)
        return form


class CountedParts:
    """A form's bytes on their way to Django's parser. It skips a part without a name, or with a file's name that is not
    in UTF-8 or is none, and says nothing: a reply would leave without its file.
    """

    def __init__(self, stream: Any, boundary: str) -> None:
        self._stream = stream
        self._separator = b"--" + boundary.encode()
        self._separators = 0
        self._end = b""

    @property
    def parts(self) -> int:
        """How many there are: one behind each separator but the last."""
        return self._separators - 1

    def read(self, size: int) -> bytes:
        portion: bytes = self._stream.read(size)
        # A separator may lie across two portions.
        seen = self._end + portion
        self._separators += seen.count(self._separator)
        self._end = seen[1 - len(self._separator) :]
        return portion
