"""How the Bot API says no."""

from typing import Any


class BotApiError(Exception):
    """An answer with `ok: false`: the HTTP status, the description and, for 429, `parameters` as Telegram words them.

    Source: Bot API, "Making requests" and ResponseParameters; the wordings are those of Telegram's own server.
    """

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters is not None:
            answer["parameters"] = self.parameters
        return answer


def bad_request(reason: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: {reason}")


def too_many_requests(retry_after: int) -> BotApiError:
    """`retry_after` is in whole seconds (ResponseParameters)."""
    description = f"Too Many Requests: retry after {retry_after}"
    return BotApiError(429, description, {"retry_after": retry_after})


def blocked_by_user() -> BotApiError:
    return BotApiError(403, "Forbidden: bot was blocked by the user")


class CustomerError(Exception):
    """What a customer's Telegram app would not let them do; the page shows the reason."""
