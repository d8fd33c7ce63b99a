"""The second thing a person signs in with, beside the password."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models.people import User


class SecondFactor(models.Model):
    """An app that shows codes by the clock (TOTP, https://www.rfc-editor.org/rfc/rfc6238). The row is there once the
    person has proven that the app works.

    django-otp's own device rows are not used: their throttle locks an account for its owner too, and they keep
    recovery codes in clear.
    """

    user = models.OneToOneField(
        User, on_delete=models.PROTECT, related_name="second_factor", verbose_name=_("сотрудник")
    )
    key = models.CharField(_("ключ"), max_length=64)
    last_step = models.BigIntegerField(_("последний код"), help_text=_("Код этого и прежних шагов больше не годится."))
    created_at = models.DateTimeField(_("включён"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("второй фактор")
        verbose_name_plural = _("вторые факторы")

    def __str__(self) -> str:
        return f"{self.user_id}"


class RecoveryCode(models.Model):
    """A code for a day without the app, good once. Random enough (79 bits) for a plain hash."""

    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="recovery_codes",
        verbose_name=_("сотрудник"),
        db_index=False,  # the unique constraint begins with it
    )
    digest = models.CharField(_("отпечаток"), max_length=64)

    class Meta:
        verbose_name = _("запасной код")
        verbose_name_plural = _("запасные коды")
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"{self.user_id}"
