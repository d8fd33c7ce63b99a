"""Links by which a person chooses a new password: by mail, or handed over by a supervisor."""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tickets.models import User


class LinkTokens(PasswordResetTokenGenerator):
    """Django's: good once, until settings.PASSWORD_RESET_TIMEOUT, a sign-in or another address. Being shut out or let
    in again ends them too.
    """

    key_salt = "tickets.links.LinkTokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.shut_out_at}{user.is_active}"


link_tokens = LinkTokens()


def password_link(user: User) -> str:
    """The whole address. It is built from PUBLIC_URL: a request's Host header is its sender's word."""
    where = {"uidb64": urlsafe_base64_encode(force_bytes(user.pk)), "token": link_tokens.make_token(user)}
    address: str = settings.PUBLIC_URL + reverse("tickets:new-password", kwargs=where)
    return address
