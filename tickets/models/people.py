from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

MANAGERS = "Managers"
SUPERVISORS = "Supervisors"

SEEN_RECENTLY = timedelta(minutes=10)


class Language(models.TextChoices):
    RU = "ru", "Русский"
    KK = "kk", "Қазақша"
    EN = "en", "English"


class Theme(models.TextChoices):
    SYSTEM = "system", _("Как в системе")
    LIGHT = "light", _("Светлая")
    DARK = "dark", _("Тёмная")


class Presence(models.TextChoices):
    ONLINE = "online", _("На линии")
    AWAY = "away", _("Отошёл")
    OFFLINE = "offline", _("Не на линии")


class User(AbstractUser):
    """A person of the company: a manager, a supervisor or both, by group (see `tickets.access`)."""

    public_name = models.CharField(_("имя для клиентов"), max_length=60, blank=True)
    language = models.CharField(_("язык"), max_length=2, choices=Language.choices, blank=True)
    theme = models.CharField(_("оформление"), max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    keys = models.BooleanField(_("клавиши из одной буквы"), default=True)
    presence = models.CharField(_("присутствие"), max_length=7, choices=Presence.choices, default=Presence.OFFLINE)
    seen_at = models.DateTimeField(_("в последний раз на странице"), null=True, blank=True)
    shut_out_at = models.DateTimeField(_("отключение"), null=True, editable=False)

    objects: ClassVar[UserManager["User"]] = UserManager()  # type: ignore[assignment]  # narrows AbstractUser's

    if TYPE_CHECKING:
        teams: RelatedManager["Team"]

    class Meta:
        verbose_name = _("сотрудник")
        verbose_name_plural = _("сотрудники")

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name colleagues see."""
        return self.get_full_name() or self.username

    @property
    def customer_facing_name(self) -> str:
        """The name a customer reads above an answer; never the login."""
        return self.public_name or self.first_name

    @property
    def group_names(self) -> frozenset[str]:
        """Names of this person's groups."""
        return self._belongs_to[0]

    @property
    def team_ids(self) -> frozenset[int]:
        """Ids of the teams this person belongs to."""
        return self._belongs_to[1]

    @cached_property
    def _belongs_to(self) -> tuple[frozenset[str], frozenset[int]]:
        """Groups and teams, read once per instance and in one query: rights are asked for many times a request."""
        no_team = models.Value(None, output_field=models.BigIntegerField())
        groups = self.groups.order_by().values_list("name", no_team)
        teams = self.teams.order_by().values_list(models.Value(""), "pk")
        found = list(groups.union(teams, all=True))
        return frozenset(name for name, team in found if team is None), frozenset(team for _, team in found if team)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's, and another after each time the person was shut out: what they had open before stays closed."""
        of_password: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]  # the stubs leave it out
        if self.shut_out_at is None:
            return of_password
        stamped = of_password + self.shut_out_at.isoformat()
        return salted_hmac("tickets.User.shut_out_at", stamped, secret=secret, algorithm="sha256").hexdigest()

    def is_around(self, now: datetime) -> bool:
        """Whether colleagues should expect this person to answer: active, not signed out, seen within ten minutes."""
        seen_recently = self.seen_at is not None and now - self.seen_at < SEEN_RECENTLY
        return self.is_active and self.presence != Presence.OFFLINE and seen_recently


class Team(models.Model):
    """People who share a queue. Every ticket belongs to exactly one team; new ones without a topic to the default."""

    name = models.CharField(_("название"), max_length=80, unique=True)
    members = models.ManyToManyField(User, related_name="teams", blank=True, verbose_name=_("участники"))
    is_default = models.BooleanField(_("принимает обращения без темы"), default=False)
    is_strict = models.BooleanField(
        _("закрытая"),
        default=False,
        help_text=_("Участники видят только свои и свободные обращения."),
    )
    time_zone = models.CharField(_("часовой пояс"), max_length=40, default="Asia/Almaty")
    retired_at = models.DateTimeField(_("выведена из работы"), null=True, blank=True)

    class Meta:
        verbose_name = _("команда")
        verbose_name_plural = _("команды")
        constraints = [
            # One row answers "which team takes a ticket nobody has sorted yet"; the migration makes the first.
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="team_one_default"
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(retired_at__isnull=True),
                name="team_default_not_retired",
            ),
        ]

    def __str__(self) -> str:
        return self.name
