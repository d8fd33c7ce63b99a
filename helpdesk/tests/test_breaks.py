"""The comparer of documents: what breaks a client is named, what does not is let through."""

from copy import deepcopy
from typing import Any

import pytest

from helpdesk.tests.breaks import breaks

Json = dict[str, Any]


def document(*, asked: Json | None = None, answered: Json | None = None) -> Json:
    """One call that takes and answers an object of these properties."""
    body = {"type": "object", "properties": asked or {"text": {"type": "string"}}}
    answer = {"type": "object", "properties": answered or {"id": {"type": "integer"}}, "required": ["id"]}
    return {
        "paths": {
            "/tickets": {
                "post": {
                    "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 200}}],
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}},
                    "responses": {"201": {"content": {"application/json": {"schema": answer}}}},
                    "security": [{"key": []}, {"bearer": []}],
                }
            }
        },
        "components": {"schemas": {"New": body}},
    }


def call(changed: Json) -> Json:
    found: Json = changed["paths"]["/tickets"]["post"]
    return found


def test_nothing_breaks_where_nothing_changed() -> None:
    assert breaks(document(), document()) == []


#: Where in the document something is.
CALL = "paths /tickets post"
LIMIT, BODY = f"{CALL} parameters 0", f"{CALL} requestBody"
NEW = "components schemas New"
ANOTHER = {"in": "query", "name": "to", "schema": {"type": "integer"}}
REMOVED = object()


def with_(place: str, value: Any) -> Json:
    """The document with something else at a place of it."""
    changed = deepcopy(document())
    *way, last = [int(step) if step.isdigit() and step != "409" else step for step in place.split()]
    part: Any = changed
    for step in way:
        part = part[step]
    if value is REMOVED:
        del part[last]
    elif isinstance(part, list):
        part.insert(last, value)
    else:
        part[last] = value
    return changed


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("paths /tickets", REMOVED, "removed"),
        ("paths /tickets", {"get": {"responses": {}}}, "removed"),
        (LIMIT, REMOVED, "query parameter limit removed"),
        (f"{LIMIT} required", True, "query parameter limit now required"),
        (f"{LIMIT} schema maximum", 100, "query parameter limit: maximum 100 instead of 200"),
        (f"{CALL} parameters 1", ANOTHER | {"required": True}, "query parameter to now required"),
        (f"{BODY} required", True, "body now required"),
        (BODY, REMOVED, "body removed"),
        (f"{BODY} content", {"text/plain": {"schema": {"type": "string"}}}, "body: application/json removed"),
        (f"{NEW} properties text", REMOVED, "body.text removed"),
        (f"{NEW} required", ["text"], "body.text now required"),
        (f"{NEW} properties text pattern", "^a", "body.text: pattern ^a instead of None"),
        (f"{CALL} responses", {"200": {}}, "answer 201 removed"),
        (f"{CALL} security", [{"bearer": []}], "no longer for key"),
    ],
)
def test_a_call_that_asks_for_more_or_gives_less_breaks(place: str, value: Any, told: str) -> None:
    assert breaks(document(), with_(place, value)) == [f"POST /tickets: {told}"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("paths /tags", {"get": {"responses": {}}}),
        (f"{LIMIT} schema maximum", 500),
        (f"{CALL} parameters 1", ANOTHER),
        (f"{NEW} properties subject", {"type": "string"}),
        (f"{CALL} responses 409", {}),
        (f"{CALL} security 2", {"cookie": []}),
    ],
)
def test_a_call_that_takes_or_gives_more_does_not(place: str, value: Any) -> None:
    assert with_(place, value) != document()
    assert breaks(document(), with_(place, value)) == []


FEW, MANY = {"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
WITH_NULL = {"type": "integer", "nullable": True}
WRAPPED = {"oneOf": [{"type": "string", "enum": ["a"]}, {"enum": [None]}]}


@pytest.mark.parametrize(
    ("old", "new", "of_input", "of_output"),
    [
        (FEW, MANY, None, "b may now be answered"),
        (MANY, FEW, "b no longer taken", None),
        (TEXT, FEW, "limited to some values", None),
        (FEW, TEXT, None, "any value now"),
        (TEXT, NUMBER, "string became integer", "string became integer"),
        (NUMBER, WITH_NULL, None, "may now be null"),
        (WITH_NULL, NUMBER, "no longer takes null", None),
        (FEW, WRAPPED, None, "may now be null"),
        (WRAPPED, FEW, "no longer takes null", None),
        ({"allOf": [FEW]}, FEW, None, None),
        ({"type": "array", "items": FEW}, {"type": "array", "items": MANY}, None, "b may now be answered"),
        ({"type": "array", "items": MANY}, {"type": "array", "items": FEW}, "b no longer taken", None),
        (TEXT, TEXT | {"format": "uri"}, "format uri instead of None", "format uri instead of None"),
    ],
)
def test_values_by_the_way_they_go(old: Json, new: Json, of_input: str | None, of_output: str | None) -> None:
    asked = breaks(document(asked={"text": old}), document(asked={"text": new}))
    answered = breaks(document(answered={"id": old}), document(answered={"id": new}))
    for found, told in ((asked, of_input), (answered, of_output)):
        assert len(found) == (told is not None), found
        assert all(told in each for each in found if told)


@pytest.mark.parametrize("required", [["id"], []])
def test_what_was_answered_always_must_stay(required: list[str]) -> None:
    changed = document()
    call(changed)["responses"]["201"]["content"]["application/json"]["schema"]["required"] = required
    told = [] if required else ["POST /tickets: answer 201.id not always there"]
    assert breaks(document(), changed) == told


def test_a_field_no_longer_answered_breaks() -> None:
    more = document(answered={"id": NUMBER, "name": TEXT})
    assert breaks(more, document()) == ["POST /tickets: answer 201.name removed"]
    assert breaks(document(), more) == []
