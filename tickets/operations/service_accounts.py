"""Programs' accounts: made, changed, given a new key and revoked by supervisors; and what their calls leave behind."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from tickets.models import Scope, ServiceAccount, User
from tickets.operations.errors import Invalid, WrongState
from tickets.operations.rights import supervisors_only

#: Begins every key, so that scanners of repositories and logs know a leaked one.
KEY_PREFIX = "hdsk_"
KEY = re.compile(KEY_PREFIX + r"(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
USED_EVERY = timedelta(minutes=1)


def create_service_account(*, actor: User, name: str, scopes: Iterable[str]) -> ServiceAccount:
    """A program's account, still without a key.

    :raises NotAllowed: the actor is no supervisor.
    :raises Invalid: a scope that is none, or no scope.
    """
    supervisors_only(actor)
    key_id = secrets.token_hex(8)
    return ServiceAccount.objects.create(name=name, scopes=_checked(scopes), key_id=key_id, created_by=actor)


def change_service_account(*, actor: User, account: ServiceAccount, name: str, scopes: Iterable[str]) -> None:
    """Another name or other scopes, which count from the next call.

    :raises NotAllowed: the actor is no supervisor.
    :raises Invalid: a scope that is none, or no scope.
    """
    supervisors_only(actor)
    account.name, account.scopes = name, _checked(scopes)
    account.save(update_fields=["name", "scopes"])


@transaction.atomic
def issue_key(*, actor: User, account: ServiceAccount) -> str:
    """A new key, which nobody can read again; a former one is good no more from this moment.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: the account was revoked.
    """
    supervisors_only(actor)
    locked = ServiceAccount.objects.select_for_update().get(pk=account.pk)
    if not locked.is_good:
        raise WrongState(_("Программа отозвана. Добавьте её заново."))
    secret = secrets.token_urlsafe(32)
    locked.secret_hash, locked.key_issued_at = _hash(secret), timezone.now()
    locked.save(update_fields=["secret_hash", "key_issued_at"])
    return f"{KEY_PREFIX}{locked.key_id}_{secret}"


@transaction.atomic
def revoke_service_account(*, actor: User, account: ServiceAccount) -> None:
    """Shut a program out at once and for good.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: it was revoked before.
    """
    supervisors_only(actor)
    locked = ServiceAccount.objects.select_for_update().get(pk=account.pk)
    if not locked.is_good:
        raise WrongState(_("Программа уже отозвана."))
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])


def account_by_key(key: str) -> ServiceAccount | None:
    """The account whose key this is, if it is still good; its use is remembered, at most once a minute."""
    parts = KEY.fullmatch(key)
    if parts is None:
        return None
    account = ServiceAccount.objects.filter(key_id=parts["id"], revoked_at__isnull=True).first()
    if account is None or not constant_time_compare(account.secret_hash, _hash(parts["secret"])):
        return None
    now = timezone.now()
    if account.last_used_at is None or now - account.last_used_at >= USED_EVERY:
        unused = ServiceAccount.objects.filter(pk=account.pk).exclude(last_used_at__gt=now - USED_EVERY)
        unused.update(last_used_at=now)
    return account


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked(scopes: Iterable[str]) -> list[str]:
    chosen = set(scopes)
    if not chosen or not chosen <= set(Scope.values):
        raise Invalid("scopes", _("Выберите хотя бы одно право."))
    return sorted(chosen)
