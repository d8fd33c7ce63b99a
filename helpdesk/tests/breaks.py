"""What of a changed OpenAPI document breaks a program written for the former one.

Input may take more and ask for less; output may tell more and must go on telling what it told. A value that answers
with a member its clients do not know, or takes one member less, breaks them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: Limits of input, and which way they may move: up, down, or not at all.
LIMITS = {
    "maximum": 1,
    "maxLength": 1,
    "maxItems": 1,
    "minimum": -1,
    "minLength": -1,
    "minItems": -1,
    "pattern": 0,
    "format": 0,
}


def breaks(old: Json, new: Json) -> list[str]:
    """Each break in words, beginning with the call it concerns; none where old clients go on as before."""
    comparison = Comparison(old, new)
    return sorted(set(comparison.of_paths()))


@dataclass(frozen=True)
class Comparison:
    old: Json
    new: Json

    def of_paths(self) -> Iterator[str]:
        for path, item in self.old["paths"].items():
            for method, call in item.items():
                name = f"{method.upper()} {path}"
                present = self.new["paths"].get(path, {}).get(method)
                if present is None:
                    yield f"{name}: removed"
                    continue
                for difference in self.of_call(call, present):
                    yield f"{name}: {difference}"

    def of_call(self, old: Json, new: Json) -> Iterator[str]:
        yield from self.of_parameters(old.get("parameters", []), new.get("parameters", []))
        yield from self.of_body(old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            present = new["responses"].get(status)
            if present is None:
                yield f"answer {status} removed"
            else:
                yield from self.of_content(f"answer {status}", answer, present, is_input=False)
        callers = new.get("security", [{}])
        yield from (f"no longer for {_caller(each)}" for each in old.get("security", [{}]) if each not in callers)

    def of_parameters(self, old: list[Json], new: list[Json]) -> Iterator[str]:
        before, now = ({(each["in"], each["name"]): each for each in some} for some in (old, new))
        for key, parameter in before.items():
            where = f"{key[0]} parameter {key[1]}"
            if key not in now:
                yield f"{where} removed"
                continue
            yield from self.of_need(where, parameter, now[key])
            yield from self.of_schema(where, parameter["schema"], now[key]["schema"], is_input=True)
        for key, parameter in now.items():
            if key not in before:
                yield from self.of_need(f"{key[0]} parameter {key[1]}", {}, parameter)

    def of_need(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where} now required"

    def of_body(self, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None:
            yield from self.of_need("body", {}, new or {})
        elif new is None:
            yield "body removed"
        else:
            yield from self.of_need("body", old, new)
            yield from self.of_content("body", old, new, is_input=True)

    def of_content(self, where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            present = new.get("content", {}).get(kind)
            if present is None:
                yield f"{where}: {kind} removed"
            else:
                yield from self.of_schema(where, content["schema"], present["schema"], is_input=is_input)

    def of_schema(self, where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
        before, now = _plain(old, self.old), _plain(new, self.new)
        if before.get("type") != now.get("type"):
            yield f"{where}: {before.get('type')} became {now.get('type')}"
            return
        yield from _of_members(where, before, now, is_input=is_input)
        yield from _of_limits(where, before, now) if is_input else _of_form(where, before, now)
        yield from self.of_properties(where, before, now, is_input=is_input)
        for inner in ("items", "additionalProperties"):
            if isinstance(before.get(inner), dict) and isinstance(now.get(inner), dict):
                yield from self.of_schema(f"{where}[]", before[inner], now[inner], is_input=is_input)

    def of_properties(self, where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        needed_before, needed = set(old.get("required", [])), set(new.get("required", []))
        for name, schema in before.items():
            if name in now:
                yield from self.of_schema(f"{where}.{name}", schema, now[name], is_input=is_input)
            else:
                yield f"{where}.{name} removed"
        if is_input:
            yield from (f"{where}.{name} now required" for name in sorted(needed - needed_before))
        else:
            yield from (f"{where}.{name} not always there" for name in sorted((needed_before - needed) & now.keys()))


def _plain(schema: Json, document: Json) -> Json:
    """A schema without references and wrappings: what it may be stands in `type`, `enum` and `nullable`."""
    if reference := schema.get("$ref"):
        return _plain(document["components"]["schemas"][reference.rpartition("/")[2]], document)
    plain = {name: value for name, value in schema.items() if name not in ("allOf", "oneOf", "anyOf")}
    for part in schema.get("allOf", []):
        plain = _plain(part, document) | plain
    choices = [_plain(part, document) for part in (*schema.get("oneOf", []), *schema.get("anyOf", []))]
    for choice in choices:
        plain |= {name: value for name, value in choice.items() if name not in ("enum", "nullable")}
    members = [member for choice in choices for member in choice.get("enum", [])]
    if members:
        plain["enum"] = [member for member in members if member is not None]
    if None in members:
        plain["nullable"] = True
    return plain


def _of_members(where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
    """Which values there may be: input must not lose any, output must not get any."""
    was, now = old.get("enum"), new.get("enum")
    fewer, more = set(was or ()) - set(now or ()), set(now or ()) - set(was or ())
    if is_input and now is not None:
        yield from ([f"{where}: limited to some values"] if was is None else _named(where, "no longer taken", fewer))
    if not is_input and was is not None:
        yield from ([f"{where}: any value now"] if now is None else _named(where, "may now be answered", more))
    if is_input and old.get("nullable") and not new.get("nullable"):
        yield f"{where} no longer takes null"
    if not is_input and new.get("nullable") and not old.get("nullable"):
        yield f"{where} may now be null"


def _named(where: str, what: str, members: set[Any]) -> Iterator[str]:
    yield from (f"{where}: {member} {what}" for member in sorted(members, key=str))


def _of_limits(where: str, old: Json, new: Json) -> Iterator[str]:
    for name, way in LIMITS.items():
        was, now = old.get(name), new.get(name)
        if now is None or now == was:
            continue
        if was is None or way == 0 or (now - was) * way < 0:
            yield f"{where}: {name} {now} instead of {was}"


def _of_form(where: str, old: Json, new: Json) -> Iterator[str]:
    if old.get("format") != new.get("format"):
        yield f"{where}: format {new.get('format')} instead of {old.get('format')}"


def _caller(requirement: Mapping[str, Any]) -> str:
    return " with ".join(requirement) or "everybody"
