"""Health says what fails, to monitors that are nobody and may learn nothing else."""

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries

SECRET = 'connection to server at "10.1.2.3", user "helpdesk" failed'


class BrokenDatabase:
    """Stands between Django and a database that refuses every query."""

    def __call__(self, *call: object) -> None:
        raise OperationalError(SECRET)


def test_live_asks_no_database(client: Client) -> None:
    # Without the db mark a query would fail the test.
    client.cookies["sessionid"] = "anything"

    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json()["status"] == "ok"


@pytest.mark.django_db
def test_ready_asks_one_query(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        response = client.get("/health/ready")

    assert response.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_database_that_does_not_answer_is_named_without_its_secrets(client: Client, path: str) -> None:
    with connection.execute_wrapper(BrokenDatabase()):
        response = client.get(path)

    assert response.status_code == 503
    assert "database" in response.json()["failing"]
    assert "10.1.2.3" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_named(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("tickets", "0001_initial")

    response = client.get("/health")

    assert response.status_code == 503
    assert "migrations" in response.json()["failing"]
    assert response.json()["migrations"]["missing"] == 1


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
@pytest.mark.django_db
def test_nobody_keeps_the_answer(client: Client, path: str) -> None:
    assert "no-store" in client.get(path)["Cache-Control"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_the_command_says_why_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    MigrationRecorder(connection).record_unapplied("tickets", "0001_initial")

    with pytest.raises(SystemExit, match="1"):
        call_command("healthcheck")

    assert "migrations: missing 1" in capsys.readouterr().err
