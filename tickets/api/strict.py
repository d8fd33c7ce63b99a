"""Input taken strictly: a name the API does not know is an error, not a wish that goes unheard."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from tickets.access import Program
from tickets.models import User


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
    if hasattr(body, "getlist"):  # a form: one value a name, and files aside
        body = {name: body.get(name) for name in body if name not in request.FILES}
    serializer = kind(data=body)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def read_query(kind: type[serializers.Serializer[Any]], request: AnyRequest) -> dict[str, Any]:
    """What the address asks for, by a serializer; parameters it does not know are left alone, as everywhere on the web.

    :raises ValidationError: with the errors of each parameter.
    """
    # A plain dictionary: of a form's blank value REST framework makes one that was not given.
    serializer = kind(data=dict(request.query_params.items()))
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
