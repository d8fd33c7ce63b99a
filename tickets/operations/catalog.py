"""What supervisors do to teams, topics and tags beyond editing their words."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models import ACTIVE, Tag, Team, Topic, User
from tickets.operations.errors import WrongState
from tickets.operations.rights import supervisors_only


def retire(*, actor: User, row: Team | Topic | Tag) -> None:
    """Take a team, topic or tag out of use; what already bears it keeps it.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: tickets are, or would still come, in this team.
    """
    supervisors_only(actor)
    if isinstance(row, Team):
        _refuse_team_in_use(row)
    row.retired_at = timezone.now()
    row.save(update_fields=["retired_at"])


def bring_back(*, actor: User, row: Team | Topic | Tag) -> None:
    """Take it into use again.

    :raises NotAllowed: the actor is no supervisor.
    """
    supervisors_only(actor)
    row.retired_at = None
    row.save(update_fields=["retired_at"])


@transaction.atomic
def make_default_team(*, actor: User, team: Team) -> None:
    """Let `team` take the tickets nobody has sorted; the former default stops in the same moment.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: the team is retired.
    """
    supervisors_only(actor)
    # Two supervisors choosing at once take turns here; the constraint allows one default only.
    Team.objects.select_for_update().get(is_default=True)
    team.refresh_from_db()
    if team.retired_at is not None:
        raise WrongState(_("Команда выведена из работы."))
    Team.objects.filter(is_default=True).update(is_default=False)
    Team.objects.filter(pk=team.pk).update(is_default=True)


def _refuse_team_in_use(team: Team) -> None:
    if team.is_default:
        raise WrongState(_("Сюда приходят обращения без темы: сначала поручите их другой команде."))
    if team.tickets.filter(status__in=ACTIVE).exists():
        raise WrongState(_("У команды есть открытые обращения: сначала передайте их другой команде."))
    if team.topics.filter(retired_at__isnull=True).exists():
        raise WrongState(_("У команды есть темы: сначала передайте их другой команде."))
