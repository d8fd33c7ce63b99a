"""The API as a whole: its document, its reading room, and who may call it from a browser."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tickets.models import User

#: What says of a value what it is.
TYPED = {"type", "$ref", "allOf", "oneOf", "anyOf", "enum"}
SCHEMA, DOCS, TICKETS = "/api/v1/schema/", "/api/v1/docs/", "/api/v1/tickets"

pytestmark = pytest.mark.django_db


def test_the_document_is_valid_and_leaves_nothing_unsaid() -> None:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "/api/v1/tickets/{ticket_id}/messages:" in out.getvalue()


def test_the_document_gives_everything_a_type(client: Client) -> None:
    document = client.get(SCHEMA, headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    assert [where for where, schema in schemas(document) if not TYPED & schema.keys()] == []


def schemas(part: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a document, with its place there."""
    if isinstance(part, list):
        for number, inner in enumerate(part):
            yield from schemas(inner, f"{where}/{number}")
    elif isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield from ((f"{where}/{name}", schema) for name, schema in part["properties"].items())
        for name, inner in part.items():
            if name in ("schema", "items", "additionalProperties") and isinstance(inner, dict):
                yield f"{where}/{name}", inner
            yield from schemas(inner, f"{where}/{name}")


def test_the_document_says_of_every_body_how_it_is_refused(client: Client) -> None:
    document = client.get(SCHEMA, headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    with_body = [operation for operation in operations if "requestBody" in operation]
    unsaid = [each["operationId"] for each in with_body if not {"400", "413", "415", "422"} <= each["responses"].keys()]
    assert unsaid == []


def test_the_document_names_each_address_once(client: Client) -> None:
    document = client.get(SCHEMA, headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    assert not [path for path in document["paths"] if path.endswith("/")]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[a-z]+[A-Za-z]*", each) for each in ids)
    assert all(operation["description"] for operation in operations), "each operation says what it does"


def test_the_reading_room_comes_from_our_own_files_under_the_strict_policy(client: Client) -> None:
    page = client.get(DOCS)
    text = page.content.decode()
    assert page.status_code == 200
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]*\bsrc=)|//cdn", text)
    script = client.get(re.search(r'src="(/api/v1/docs/[^"]+)"', text)[1].replace("&amp;", "&"))
    assert script["Content-Type"].startswith("application/javascript")


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://localhost:3000"])
def test_browsers_of_the_named_origins_may_call(client: Client, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    answer = client.options(TICKETS, headers=asked)
    assert answer["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in answer, "never with the desk's cookies"


@pytest.mark.parametrize(
    ("path", "origin"),
    [(TICKETS, "http://evil.example"), ("/desk/", "http://localhost:5173"), ("/admin/", "http://localhost:5173")],
)
def test_nobody_else_may_and_nothing_else_is_open(client: Client, aigerim: User, path: str, origin: str) -> None:
    answer = client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
    assert "Access-Control-Allow-Origin" not in answer
