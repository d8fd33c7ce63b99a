"""Who calls: a person by a bearer token (RFC 6750) or by the desk's own session, or a program by its key."""

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from tickets import operations
from tickets.access import Program
from tickets.api.fields import MAX_USER_ID
from tickets.models import ApiSession, ServiceAccount, User

CUSTOMER_HEADER = "X-Telegram-User-Id"
SESSION_CLAIM = "session"
REALM = 'Bearer realm="api"'
NOT_GOOD = _("Токен недействителен или устарел. Войдите снова или обновите его.")
KEY_NOT_GOOD = _("Ключ недействителен или отозван.")


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer hdsk_…`, a service account's key, and in a header of its own the customer it speaks for.

    What begins like a key is never taken for a person's token.
    """

    def authenticate(self, request: Request) -> tuple[Program, ServiceAccount] | None:
        words = get_authorization_header(request).split()
        if len(words) != 2 or words[0].lower() != b"bearer" or not words[1].startswith(operations.KEY_PREFIX.encode()):
            return None
        account = operations.account_by_key(words[1].decode("latin-1"))
        if account is None:
            raise AuthenticationFailed(KEY_NOT_GOOD)
        return Program(account, named_customer(request)), account

    def authenticate_header(self, request: Request) -> str:
        return REALM


def named_customer(request: Request) -> int:
    """The Telegram user id of the customer a program speaks for.

    :raises ValidationError: it names none.
    """
    value = request.headers.get(CUSTOMER_HEADER, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 16 and 0 < int(value) <= MAX_USER_ID):
        raise ValidationError({CUSTOMER_HEADER: [_("Назовите клиента: его номер в Telegram.")]})
    return int(value)


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`; the sign-in it names is asked each time: ending it is instant."""

    def authenticate(self, request: Request) -> tuple[User, ApiSession] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed(NOT_GOOD)
        session = session_of(words[1].decode("latin-1"), AccessToken)
        # Signed in before one was needed, or before becoming a supervisor.
        if session is None or not session.is_good or operations.lacks_needed_factor(session.user):
            raise AuthenticationFailed(NOT_GOOD)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return REALM


def session_of(text: str, kind: type[Token]) -> ApiSession | None:
    """The sign-in a well-signed token of this kind that has not expired names."""
    token = read(text, kind)
    if token is None:
        return None
    return ApiSession.objects.select_related("user").filter(pk=token.get(SESSION_CLAIM)).first()


def read(text: str, kind: type[Token]) -> Token | None:
    """A token's claims, once its signature, kind and time have been checked."""
    try:
        return kind(text)  # type: ignore[arg-type]  # the stubs want an encoded Token
    except TokenError:
        return None


def tokens_for(session: ApiSession) -> dict[str, str]:
    """The pair a sign-in or a refresh answers with."""
    refresh = RefreshToken()
    refresh["jti"], refresh[SESSION_CLAIM] = session.refresh_id, session.pk
    refresh.set_exp(from_time=session.rotated_at, lifetime=session.expires_at - session.rotated_at)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}
