"""What the OpenAPI document says besides the serializers."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from tickets.api.authentication import CUSTOMER_HEADER
from tickets.api.permissions import scope_of

Endpoint = tuple[str, str, str, Any]


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
    """Says of each operation which scope a service account needs for it."""

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
