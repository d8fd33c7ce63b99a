"""What tickets refer to, over the API."""

import pytest
from django.utils import timezone

from tickets import operations
from tickets.models import Customer, Tag, Team, Ticket, Topic, User
from tickets.tests.api.conftest import V1, Call

pytestmark = pytest.mark.django_db


def test_a_manager_is_told_of_own_teams_and_a_supervisor_of_all(
    called_by: Call, aigerim: User, bolat: User, saule: User, team: Team, other_team: Team
) -> None:
    (shown,) = called_by(aigerim).get(f"{V1}/teams").json()["teams"]
    assert (shown["id"], shown["isDefault"]) == (team.pk, True)
    assert {member["id"] for member in shown["members"]} == {aigerim.pk, bolat.pk}
    assert {each["id"] for each in called_by(saule).get(f"{V1}/teams").json()["teams"]} == {team.pk, other_team.pk}


def test_topics_and_tags_out_of_use_are_left_out(called_by: Call, aigerim: User) -> None:
    Topic.objects.create(name="Старая", retired_at=timezone.now())
    topic = Topic.objects.create(name="Гарантия", name_kk="Кепілдік")
    Tag.objects.create(name="старая", retired_at=timezone.now())
    tag = Tag.objects.create(name="замена")
    client = called_by(aigerim)
    (shown,) = client.get(f"{V1}/topics").json()["topics"]
    assert (shown["id"], shown["name"], shown["nameKk"], shown["team"]) == (topic.pk, "Гарантия", "Кепілдік", None)
    assert client.get(f"{V1}/tags").json() == {"tags": [{"id": tag.pk, "name": "замена"}]}


def test_customers_are_those_whose_tickets_one_sees_and_their_phone_is_masked(
    called_by: Call, aigerim: User, dana: User, ticket: Ticket, timur: Customer
) -> None:
    operations.set_customer_phone(customer=timur, phone="+77070004183", verified=True)
    client = called_by(aigerim)
    (shown,) = client.get(f"{V1}/customers", {"user_id": timur.telegram_user_id}).json()["customers"]
    assert (shown["telegramUserId"], shown["name"], shown["maskedPhone"]) == (
        timur.telegram_user_id,
        "Тимур Ахметов",
        "+7 707 ••• 41 83",
    )
    assert "70004183" not in str(shown)
    assert client.get(f"{V1}/customers/{timur.pk}").json() == shown
    assert client.get(f"{V1}/customers", {"search": "тимур"}).json()["pagination"]["total"] == 1
    assert client.get(f"{V1}/customers", {"search": "никто"}).json()["customers"] == []
    stranger = called_by(dana)
    assert stranger.get(f"{V1}/customers").json()["customers"] == []
    assert stranger.get(f"{V1}/customers/{timur.pk}").status_code == 404
