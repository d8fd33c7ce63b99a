"""Refusals as problem details (https://www.rfc-editor.org/rfc/rfc9457): what was wrong, in words and by field."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, JsonResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from tickets.api.parsers import TooLarge
from tickets.operations import Invalid, Refused, Unseen
from tickets.text import storable

CONTENT_TYPE = "application/problem+json"
WHOLE_REQUEST = "request"
#: What the domain calls a value, where JSON has another name for it.
JSON_NAMES = {"quote": "replyTo", "tag": "tags"}

Json = dict[str, Any]


def problem(status: int, detail: str, **more: Any) -> Json:
    """The members every problem has, and those of its kind."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


def handle(error: Exception, context: Json) -> Response | None:
    """REST framework's exception handler. What is no refusal goes on to become a 500."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):  # what Django read before our parsers could refuse it
        error = TooLarge()
    elif isinstance(error, SuspiciousOperation):  # more files or fields than Django reads
        error = exceptions.ParseError(_("Запрос не удалось разобрать: в нём слишком много файлов или полей."))
    if isinstance(error, Refused):
        body, headers = _refused(error), {}
    elif isinstance(error, exceptions.APIException):
        body, headers = _failed(error), _headers(error)
    else:
        return None
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _refused(refusal: Refused) -> Json:
    if isinstance(refusal, Invalid):
        return problem(
            refusal.status,
            str(refusal.message),
            errors={JSON_NAMES.get(refusal.field, refusal.field): [str(refusal.message)]},
        )
    if isinstance(refusal, Unseen):
        missed = [message.pk for message in (*refusal.revised, *refusal.missed)]
        return problem(refusal.status, str(refusal.message), missed=missed, seenMessageId=refusal.read_to.message)
    return problem(refusal.status, str(refusal.message))


def _failed(error: exceptions.APIException) -> Json:
    if isinstance(error, exceptions.ValidationError):
        errors = _by_field(error.detail)
        first = next(iter(errors.values()))[0]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=errors)
    return problem(error.status_code, str(error.detail), **getattr(error, "more", {}))


def _by_field(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Errors by the field's path in the request, say "files.0".

    Both may repeat what was sent, half a surrogate pair too, which no answer in UTF-8 could hold.
    """
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            is_whole = name == api_settings.NON_FIELD_ERRORS_KEY
            found |= _by_field(inner, path if is_whole else f"{path}.{name}".strip("."))
        return found
    items = detail if isinstance(detail, list) else [detail]
    if any(isinstance(item, dict) for item in items):
        found = {}
        for place, item in enumerate(items):
            found |= _by_field(item, f"{path}.{place}") if item else {}
        return found
    return {storable(path) or WHOLE_REQUEST: [storable(str(item)) for item in items]}


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return headers


def answer(status: int, detail: str, **headers: str) -> JsonResponse:
    """A problem told outside of REST framework's views."""
    return JsonResponse(problem(status, detail), status=status, headers=headers, content_type=CONTENT_TYPE)
