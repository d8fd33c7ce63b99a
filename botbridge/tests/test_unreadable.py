"""Answers of getUpdates that are not what they should be: polling passes them and loses nothing that stands beside."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from aiogram import Bot
from aiogram.methods import TelegramMethod

from botbridge import polling
from botbridge.client import QuietSession
from botbridge.doorbell import Doorbell
from botbridge.health import facts
from botbridge.models import Update
from botbridge.polling import LIMIT, Polling
from botbridge.storing import store
from botbridge.tests.conftest import BOT_ID, TOKEN, Json
from botbridge.tests.mutations import nested

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 60
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, short_connections: None) -> None:
    monkeypatch.setattr(polling, "PAUSES", (0.01,))


class RawTelegram(QuietSession):
    """Holds updates as text, each under its number, and gives and forgets them as getUpdates does."""

    def __init__(self, updates: dict[int, str], *first: tuple[int, str]) -> None:
        super().__init__()
        self.updates = updates
        self.first = list(first)
        self.asked = 0

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109 - aiogram's
        self.asked += 1
        if self.first:
            status, body = self.first.pop(0)
            return self.check_response(bot, method, status, body).result
        self._forget(getattr(method, "offset", None))
        pending = [self.updates[number] for number in sorted(self.updates)][: getattr(method, "limit", LIMIT)]
        if not pending:
            await asyncio.sleep(0.05)
        return self.check_response(bot, method, 200, f'{{"ok":true,"result":[{",".join(pending)}]}}').result

    def _forget(self, offset: int | None) -> None:
        assert offset is None or offset >= 0
        for number in [number for number in self.updates if offset is not None and number < offset]:
            del self.updates[number]

    def _goes_on(self, asked: int | None) -> bool:
        return bool(self.updates) if asked is None else self.asked < asked

    def poll(self, *, asked: int | None = None) -> None:
        """Until nothing waits here any more, or so many requests have come."""

        async def run() -> None:
            task = asyncio.create_task(Polling(Bot(TOKEN, session=self), Doorbell()).run())
            try:
                async with asyncio.timeout(WITHIN):
                    while not task.done() and self._goes_on(asked):  # noqa: ASYNC110 - nothing rings
                        await asyncio.sleep(0.01)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        asyncio.run(run())


def message(number: int, text: str = "Здравствуйте") -> Json:
    chat = {"id": 7, "type": "private", "first_name": "Тимур"}
    return {"update_id": number, "message": {"message_id": number, "date": 1, "chat": chat, "from": chat, "text": text}}


def healthy(*numbers: int) -> dict[int, str]:
    return {number: json.dumps(message(number)) for number in numbers}


def stored() -> list[int]:
    return list(Update.objects.filter(state=Update.State.STORED).order_by("pk").values_list("update_id", flat=True))


@pytest.mark.parametrize(
    "answer",
    [
        (200, HTML),
        (502, HTML),
        (200, ""),
        (200, '{"ok":true,"result":[{"update_id":1,"message":{"text":"обор'),
        (200, '{"ok":true,"result":null}'),
        (200, '{"ok":true,"result":{"update_id":1}}'),
        (200, '{"ok":true}'),
        (200, "[]"),
        (200, "null"),
        (200, '{"ok":false}'),
        (500, '{"ok":false,"description":null}'),
    ],
)
def test_what_is_no_answer_is_asked_for_again(answer: tuple[int, str]):
    RawTelegram(healthy(1, 2), answer).poll()
    assert (stored(), Update.objects.count()) == ([1, 2], 2)


UNREADABLE = {
    "deep": f'{{"update_id":3,"message":{"[" * 100_000}{"]" * 100_000}}}',
    "long": f'{{"update_id":3,"message":{{"chat":{{"id":7}},"message_id":{"9" * 5000},"text":"слова"}}}}',
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_update_no_reader_takes_is_parked_as_it_came_and_stops_nobody(kind: str):
    RawTelegram({**healthy(*range(1, 3), *range(4, 150)), 3: UNREADABLE[kind]}).poll()
    assert stored() == [*range(1, 3), *range(4, 150)]
    parked = Update.objects.get(state=Update.State.PARKED)
    assert (parked.update_id, parked.reason) == (3, "not JSON that can be read")
    assert UNREADABLE[kind] in json.loads(parked.raw)["unreadable"]


def test_what_the_network_cut_is_never_kept_in_place_of_the_whole():
    cut = '{"ok":true,"result":[{"update_id":3,"message":{"text":"половина'
    RawTelegram(healthy(3), *[(200, cut)] * 4).poll()
    assert (stored(), Update.objects.count()) == ([3], 1)


@pytest.mark.parametrize("odd", ["5", "null", "[]", '"words"', "{}", '{"update_id":"2"}', '{"update_id":-2}'])
def test_an_element_that_is_no_update_is_parked_and_its_neighbours_stored(odd: str):
    RawTelegram({**healthy(1, 3), 2: odd}).poll()
    assert stored() == [1, 3]
    assert Update.objects.filter(state=Update.State.PARKED).count() == 1


def test_what_cannot_be_acknowledged_is_stored_once_and_told(monkeypatch: pytest.MonkeyPatch):
    telegram = RawTelegram({1: '{"message":{"chat":{"id":7},"text":"Без номера"}}'})
    telegram.poll(asked=5)
    assert Update.objects.count() == 1
    assert facts()["last_error"] == "UnusableAnswerError"


@pytest.mark.slow
def test_thirty_megabytes_come_as_well():
    RawTelegram({number: json.dumps(message(number, "Ж" * 1_000_000)) for number in range(1, 6)}).poll()
    assert stored() == [1, 2, 3, 4, 5]


def test_numbers_json_has_no_name_for_are_kept():
    store(BOT_ID, [json.loads('{"update_id":1,"message":{"chat":{"id":7},"date":1e999,"x":NaN}}')])
    assert stored() == [1]


def test_what_is_as_deep_as_a_reader_goes_is_stored():
    store(BOT_ID, [{"update_id": 1, "message": {"chat": {"id": 7}, "text": nested(900, as_list=True)}}])
    assert stored() == [1]
