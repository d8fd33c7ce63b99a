"""Every kind of message the installed aiogram knows comes in under its name, and none as an error."""

from datetime import datetime
from enum import Enum
from inspect import isclass
from typing import Any, Literal, get_args, get_origin

import pytest
from aiogram import types
from aiogram.enums import ContentType as Kind
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from botbridge.in_words import IN_WORDS
from botbridge.incoming import OPENED, SERVICE
from botbridge.models import Update
from botbridge.tests.conftest import Phone, parked
from tickets.models import ContentType, Message, Sender

pytestmark = pytest.mark.django_db

KINDS = sorted(kind.value for kind in Kind if kind not in (Kind.UNKNOWN, Kind.ANY))
#: The least story has no address, the least sticker a picture, the least gift no words.
WITH_WORDS = {"text", *IN_WORDS} - {"story", "sticker", "gift"}
SCALARS: dict[Any, Any] = {str: "слово", int: 7, float: 1.5, bool: True, datetime: 1_700_000_000, Any: "что угодно"}


def example(wanted: Any) -> Any:
    """The least JSON that fits a type of aiogram's."""
    if wanted in SCALARS:
        return SCALARS[wanted]
    if isclass(wanted) and issubclass(wanted, BaseModel):
        return of_model(wanted)
    if isinstance(wanted, TypeAliasType):
        return example(wanted.__value__)
    first = next(each for each in get_args(wanted) if each is not type(None))
    if get_origin(wanted) is Literal:
        return first.value if isinstance(first, Enum) else first
    return [example(first)] if get_origin(wanted) is list else example(first)


def of_model(model: type[BaseModel]) -> dict[str, Any]:
    model.model_rebuild()
    fields = model.model_fields.items()
    # A type that stands for one of several says which.
    wanted = {name: field for name, field in fields if field.is_required() or name == "type"}
    return {field.alias or name: example(field.annotation) for name, field in wanted.items()}


def content(kind: str) -> dict[str, Any]:
    types.Message.model_rebuild()
    least = example(types.Message.model_fields[kind].annotation)
    return {kind: {**least, "is_animated": False} if kind == "sticker" else least}


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_to_the_desk_under_its_own_name(phone: Phone, kind: str):
    phone.write("Здравствуйте")
    phone.send(**content(kind))
    assert parked() == []
    last = Message.objects.filter(sender=Sender.CLIENT).latest("pk")
    assert last.content_type == kind
    assert bool(last.text) is (kind in WITH_WORDS)
    assert last.attachments.exists() is (kind in OPENED)


@pytest.mark.parametrize("kind", sorted(SERVICE))
def test_what_nobody_wrote_opens_no_ticket(phone: Phone, kind: str):
    phone.send(**content(kind))
    assert (phone.tickets, Update.objects.get().state) == ([], Update.State.HANDLED)


@pytest.mark.parametrize("kind", ContentType.values)
def test_every_name_of_ours_is_one_of_theirs(kind: str):
    assert kind in KINDS
