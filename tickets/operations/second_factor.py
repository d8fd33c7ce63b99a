"""Signing in with a second factor: begun, asked, turned off, taken away."""

import secrets
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_otp.oath import TOTP

from tickets import access
from tickets.models import RecoveryCode, SecondFactor, User
from tickets.operations.errors import Invalid, NotAllowed, WrongState
from tickets.operations.people import end_everything
from tickets.operations.sign_ins import end_other_sign_ins
from tickets.passwords import new_password

KEY_BYTES = 20  # https://www.rfc-editor.org/rfc/rfc4226#section-4
#: How far a phone's clock may be off, in steps of 30 seconds.
TOLERANCE = 1
RECOVERY_CODES = 10
CODE_DIGITS = 6


def new_factor_key() -> str:
    """A fresh secret for a person's app, in hexadecimal."""
    return secrets.token_hex(KEY_BYTES)


@transaction.atomic
def turn_on_second_factor(*, user: User, key: str, code: str, keep: str) -> list[str]:
    """Ask this person for a code from now on, once they have shown that their app makes the right ones.

    Returns the recovery codes, which nobody can read again. Sign-ins made without a code end, but for the one whose
    key is `keep`.

    :raises Invalid: the code is not the app's.
    :raises WrongState: it is on already.
    """
    step = _step_of(key, code, after=-1)
    if step is None:
        raise Invalid("code", _("Код не подошёл. Проверьте, что часы телефона идут верно, и введите новый код."))
    User.objects.select_for_update().get(pk=user.pk)
    if has_second_factor(user):
        raise WrongState(_("Второй фактор уже включён."))
    SecondFactor.objects.create(user=user, key=key, last_step=step)
    codes = [new_password() for _number in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(user, code)) for code in codes)
    end_other_sign_ins(user=user, keep=keep)
    return codes


def has_second_factor(user: User) -> bool:
    """Whether a code is asked beside the password."""
    return SecondFactor.objects.filter(user=user).exists()


def lacks_needed_factor(user: User) -> bool:
    """Whether this is a supervisor who has no second factor where supervisors need one."""
    is_meant = settings.SUPERVISORS_NEED_SECOND_FACTOR and access.is_supervisor(user)
    return is_meant and not has_second_factor(user)


@transaction.atomic
def use_code(*, user: User, code: str) -> bool:
    """Whether this code, the app's or a recovery code, lets the person in. No code does so twice, however many bring
    it at the same moment: they wait for each other at the row.
    """
    factor = SecondFactor.objects.select_for_update().filter(user=user).first()
    if factor is None:
        return False
    step = _step_of(factor.key, code, after=factor.last_step)
    if step is None:
        used, _rows = RecoveryCode.objects.filter(user=user, digest=_digest(user, code)).delete()
        return used > 0
    factor.last_step = step
    factor.save(update_fields=["last_step"])
    return True


@transaction.atomic
def turn_off_second_factor(*, user: User) -> None:
    """Ask no code any more; the caller has checked the password and a code."""
    SecondFactor.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


@transaction.atomic
def reset_second_factor(*, actor: User, user: User) -> None:
    """Take a lost factor from somebody else, who signs in anew with the password alone.

    :raises NotAllowed: the actor is no supervisor, or the other a superuser and the actor none.
    :raises WrongState: there is none, or it is the actor's own: that one is turned off with a code.
    """
    if not access.is_supervisor(actor) or (user.is_superuser and not actor.is_superuser):
        raise NotAllowed
    if actor.pk == user.pk:
        raise WrongState(_("Свой второй фактор отключают на своей странице, с паролем и кодом."))
    if not has_second_factor(user):
        raise WrongState(_("Второй фактор не включён."))
    turn_off_second_factor(user=user)
    end_everything(user)


def _step_of(key: str, code: str, *, after: int) -> int | None:
    """The step of time whose code this is, later than `after` and near to now; None where there is none."""
    digits = code.strip().replace(" ", "")
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    totp = TOTP(bytes.fromhex(key), digits=CODE_DIGITS)
    return totp.t() if totp.verify(int(digits), tolerance=TOLERANCE, min_t=after + 1) else None


def _digest(user: User, code: str) -> str:
    return sha256(f"{user.pk}:{code.strip().lower()}".encode(errors="replace")).hexdigest()
