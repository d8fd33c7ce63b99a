from dataclasses import dataclass

from django.contrib.auth.models import Group

from tickets.models import MANAGERS, SUPERVISORS, Tag, Team, Topic, User
from tickets.passwords import new_password

# The topics of a shop, in the bot's three languages; the second waits in the returns team's queue.
TOPICS = (
    ("Доставка и получение", "Жеткізу және алу", "Delivery and pickup"),
    ("Возврат и обмен", "Қайтару және айырбастау", "Returns and exchange"),
    ("Гарантия и ремонт", "Кепілдік және жөндеу", "Warranty and repair"),
    ("Оплата и рассрочка", "Төлем және бөліп төлеу", "Payment and instalments"),
    ("Другое", "Басқа", "Other"),
)
RETURNS_TOPIC = "Возврат и обмен"
TAGS = ("замена", "повреждение", "рассрочка", "доставка задержана")


@dataclass
class Staff:
    """The people at work; `passwords` by login, known at this moment only."""

    supervisor: User
    manager: User
    colleague: User
    passwords: dict[str, str]


def hire() -> Staff:
    """Make teams, topics, tags, a supervisor and two managers with random passwords."""
    support = Team.objects.get(is_default=True)
    returns = Team.objects.create(name="Возвраты")
    claims = Team.objects.create(name="Претензии", is_strict=True)
    for position, (name, name_kk, name_en) in enumerate(TOPICS):
        team = returns if name == RETURNS_TOPIC else None
        Topic.objects.create(name=name, name_kk=name_kk, name_en=name_en, team=team, position=position)
    Tag.objects.bulk_create(Tag(name=name) for name in TAGS)
    passwords: dict[str, str] = {}
    staff = Staff(
        supervisor=_person(passwords, "madina", "Мадина", "Касымова", SUPERVISORS),
        manager=_person(passwords, "daniyar", "Данияр", "Ахметов", MANAGERS),
        colleague=_person(passwords, "aigul", "Айгуль", "Серикова", MANAGERS),
        passwords=passwords,
    )
    support.members.add(staff.manager, staff.colleague)
    returns.members.add(staff.manager)
    claims.members.add(staff.colleague)
    return staff


def _person(passwords: dict[str, str], login: str, first_name: str, last_name: str, group: str) -> User:
    passwords[login] = new_password()
    person = User.objects.create_user(
        login, password=passwords[login], first_name=first_name, last_name=last_name, public_name=first_name
    )
    person.groups.add(Group.objects.get(name=group))
    return person
