"""Input taken strictly: a name the API does not know is an error, not a wish that goes unheard."""

from collections.abc import Container
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from tickets.access import Program
from tickets.models import User

#: The field of a form that holds its files.
FILES = "files"


class AnyRequest(Request):
    """A request past a door that is open to programs too."""

    user: User | Program  # type: ignore[assignment]  # the stubs know people alone


class ApiRequest(AnyRequest):
    """A request past the door: somebody who works here is known."""

    user: User


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that are not its own."""

    def to_internal_value(self, data: Any) -> Any:
        names = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        unknown = {name: [_("Такого поля нет.")] for name in names}
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            known = error.detail if isinstance(error.detail, dict) else {}
            raise ValidationError({**known, **unknown}) from error
        if unknown:
            raise ValidationError(unknown)
        return values


def read_body(kind: type[StrictSerializer], request: AnyRequest) -> dict[str, Any]:
    """What the request's body holds, by a serializer.

    :raises ValidationError: with the errors of each field.
    """
    body: Any = request.data
    if isinstance(body, QueryDict):
        words = body.keys() - request.FILES.keys()
        # A file where words belong, or under a name that nobody knows, is for the serializer to refuse.
        misplaced = {name: file for name, file in request.FILES.items() if name != FILES}
        body = {name: value for name, value in one_of_each(body, words).items() if name in words} | misplaced
    serializer = kind(data=body)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def read_query(kind: type[serializers.Serializer[Any]], request: AnyRequest) -> dict[str, Any]:
    """What the address asks for, by a serializer; parameters it does not know are left alone, as everywhere on the web.

    :raises ValidationError: with the errors of each parameter.
    """
    serializer = kind(data=one_of_each(request.query_params, kind().fields))
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def one_of_each(given: QueryDict, known: Container[str]) -> dict[str, Any]:
    """The value of each name; of two values nobody could say which counts (OWASP ASVS 5.0, 15.3.7).

    A plain dictionary, since of a form's blank value REST framework makes one that was not given.

    :raises ValidationError: a name among the known comes more than once.
    """
    twice = [name for name, values in given.lists() if len(values) > 1 and name in known]
    if twice:
        raise ValidationError({name: [_("Значение должно быть одно.")] for name in twice})
    return dict(given.items())
