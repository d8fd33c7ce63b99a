"""aiogram's types cost nothing until they are used, and are all there when they are."""

import subprocess
import sys
from inspect import isclass

import pytest
from aiogram import methods, types
from django.conf import settings
from pydantic import BaseModel

MANY_AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import django

django.setup()
from aiogram.methods.base import Response
from aiogram.types import Message, Update

assert not Message.__pydantic_complete__, "aiogram has built its types before anybody used them"
together = Barrier(8)


def read(number):
    together.wait()
    message = {"message_id": number, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "Где мой заказ?"}
    answer = Response[Message].model_validate({"ok": True, "result": message})
    update = Update.model_validate({"update_id": number, "message": message})
    return answer.result.message_id, update.message.text


with ThreadPoolExecutor(8) as threads:
    print(list(threads.map(read, range(8))) == [(number, "Где мой заказ?") for number in range(8)])
"""


def test_in_a_new_process_they_are_built_by_whoever_uses_them_first_even_many_at_once():
    run = subprocess.run(
        [sys.executable, "-c", MANY_AT_ONCE], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert (run.stdout.strip(), run.stderr) == ("True", "")


@pytest.mark.parametrize("module", [types, methods])
def test_every_one_of_them_can_be_built(module):
    models = [
        model for model in map(module.__dict__.get, module.__all__) if isclass(model) and issubclass(model, BaseModel)
    ]
    assert len(models) > 100
    for model in models:
        model.model_rebuild()
        assert model.__pydantic_complete__, model
