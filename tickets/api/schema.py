"""What the OpenAPI document says besides the serializers."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from tickets.api.authentication import CUSTOMER_HEADER
from tickets.api.permissions import scope_of
from tickets.api.strict import StrictSerializer

Endpoint = tuple[str, str, str, Any]

# Every text is without NUL (`ProhibitNullCharactersValidator`), and where it is asked for, not all space.
WORDS_OR_NOTHING = r"^[^\u0000]*$"
SOME_WORDS = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457). `errors`: what was wrong with fields; `missed`: messages that had not been seen."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # a field of that name, not the serializer's own errors
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    missed = serializers.ListField(child=serializers.IntegerField(), required=False)
    seenMessageId = serializers.IntegerField(required=False)
    otp = serializers.ChoiceField(
        choices=["required", "wrong"],
        required=False,
        help_text="At the login, where the password was right.",
    )


WORDS = {
    400: "The body is not what its content type says.",
    401: "No token or key, or one that is good no more.",
    403: "Not allowed for this person or service account.",
    404: "There is no such object for this caller.",
    409: "The object has changed, messages have not been seen, or the clientId belongs to another request.",
    413: "More than the server takes.",
    415: "Send application/json or, with files, multipart/form-data.",
    422: "Fields are wrong; `errors` says which.",
    429: "Too many requests; `Retry-After` says when to try again.",
}


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The refusals an endpoint gives."""
    return {(status, "application/problem+json"): OpenApiResponse(Problem, WORDS[status]) for status in statuses}


def without_slashes(endpoints: list[Endpoint], **_options: Any) -> list[Endpoint]:
    """Each path once: the one with a slash at its end is a convenience."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


class Described(AutoSchema):
    """Says of each operation which scope a service account needs, and of input what else is refused."""

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        is_strict = direction == "request" and isinstance(serializer, StrictSerializer)
        return schema | {"additionalProperties": False} if is_strict else schema

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if direction != "request":
            return schema
        most = getattr(field, "max_length", None)
        if isinstance(field, serializers.ListSerializer) and most is not None:
            return schema | {"maxItems": most}
        if isinstance(field, serializers.CharField) and not isinstance(field, serializers.RegexField):
            return schema | {"pattern": WORDS_OR_NOTHING if field.allow_blank else SOME_WORDS}
        return schema

    def get_description(self) -> str:  # type: ignore[override]  # as in AutoSchema itself
        words = str(super().get_description())
        scope = scope_of(self.view, self.method)
        return f"{words}\n\nService accounts need the scope `{scope.value}`." if scope else words


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the document names a service account's key and the customer that goes with it."""

    target_class = "tickets.api.authentication.KeyAuthentication"
    name = ["serviceAccount", "customer"]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        scope = scope_of(auto_schema.view, auto_schema.method)
        return super().get_security_requirement(auto_schema) if scope else []

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "hdsk_…",
                "description": "A service account's key, made by a supervisor in the admin.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": CUSTOMER_HEADER,
                "description": "The Telegram user id of the customer a service account speaks for, on every call.",
            },
        ]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the document names the token."""

    target_class = "tickets.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A person's access token, from `login`.",
        }
