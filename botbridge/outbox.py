"""Deliveries and calls to Telegram: claimed (`botbridge.claiming`), made here, many chats at a time, and settled with
what Telegram said (`botbridge.settling`).

A call is repeated by itself only when Telegram surely has not taken it: it answered 429, or the connection never
opened.
"""

import asyncio
import logging
import os
import platform
import time
import uuid
from contextlib import suppress

from aiogram import Bot
from aiogram.types import InputFile
from django.db import Error

from botbridge import alterations, crash, log_context, metrics, requests
from botbridge.claiming import LOOK_EVERY, Claimed, Pause, claim, has_work, upload_takes
from botbridge.client import StoredFile
from botbridge.clocks import LOOKED_FOR_EVERY, hasten
from botbridge.doorbell import Bell
from botbridge.models import OutboundCall
from botbridge.parts import name_for_customer
from botbridge.requests import Outcome
from botbridge.settling import expire_leases, settle
from botbridge.threads import in_thread
from tickets.log_context import request_id
from tickets.models import DeliveryState, Event, Reason

logger = logging.getLogger(__name__)

IN_FLIGHT = 40
LEASES_CHECKED_EVERY = 5.0
LAST_ANSWERS = 1.5


async def perform(bot: Bot, claimed: Claimed) -> Outcome:
    """Make a claimed call, unless so much of its lease is gone that it could end in the middle."""
    if not claimed.may_still_leave:
        return Outcome(DeliveryState.QUEUED, "the lease was nearly over before the request could leave")
    if claimed.call.alteration_id is not None and "message_id" not in claimed.call.payload:
        return alterations.NOT_OURS
    files: dict[str, InputFile] = {}
    for name, attachment in claimed.uploads.items():
        file = attachment.file
        if not file.name or not await in_thread(file.storage.exists, file.name):
            return Outcome(DeliveryState.FAILED, "the file is not in storage", Reason.BAD_FILE)
        files[name] = StoredFile(file.open, name_for_customer(attachment))
    started = time.monotonic()
    outcome = await requests.make(
        bot, claimed.call.method, claimed.call.payload, files, upload_takes=upload_takes(claimed.uploads)
    )
    metrics.count_call(claimed.call, outcome.state, seconds=time.monotonic() - started)
    if outcome.reason == Reason.BAD_FILE and claimed.sends_by_file_id:
        # Telegram has taken nothing, and may know the id no more: the next try brings the bytes.
        return Outcome(DeliveryState.QUEUED, outcome.error, file_ids_refused=True)
    return outcome


def request_of(call: OutboundCall) -> str | None:
    """The id of the request that wrote, or last changed, what this call carries."""
    carrier = call.delivery or call.alteration
    if carrier is None:
        return None
    about = Event.objects.filter(ticket=carrier.message.ticket, data__message=carrier.message_id)
    last = about.filter(data__has_key="request").order_by("-pk")
    return last.values_list("data__request", flat=True).first()


async def name_request(call: OutboundCall) -> None:
    """Name in this call's log lines the request it comes from, if the database tells."""
    with suppress(Error):
        request_id.set(await in_thread(request_of, call))


class Outbox:
    """Sends what is due, many chats at a time, until asked to stop."""

    def __init__(self, bot: Bot, bell: Bell) -> None:
        self._bot = bot
        self._bell = bell
        self._worker = f"{platform.node()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._in_flight: set[asyncio.Task[None]] = set()
        self._busy = False
        self._leases_checked = 0.0
        self._hastened = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until asked to stop, then gives requests under way a few seconds to be answered."""
        while not stopping.is_set():
            try:
                pause = await self._step()
            except Error as error:
                logger.warning("Outbox: the database does not answer (%s)", type(error).__name__)
                pause = LOOK_EVERY
            if pause:
                await self._bell.wait(pause)
        if self._in_flight:
            _done, unanswered = await asyncio.wait(self._in_flight, timeout=LAST_ANSWERS)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)

    async def _step(self) -> float:
        """Begin one call. Returns the seconds to rest, 0 to go on at once."""
        if time.monotonic() - self._leases_checked > LEASES_CHECKED_EVERY:
            await in_thread(expire_leases)
            self._leases_checked = time.monotonic()
        if time.monotonic() - self._hastened > LOOKED_FOR_EVERY:
            await in_thread(hasten, self._bot.id)
            self._hastened = time.monotonic()
        if len(self._in_flight) >= IN_FLIGHT:
            await asyncio.wait(self._in_flight, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            return 0
        if not self._busy and not await in_thread(has_work, self._bot.id):
            return LOOK_EVERY
        claimed = await in_thread(claim, self._bot.id, self._worker)
        # What was due a moment ago need not be asked for: only a rest ends with that question.
        self._busy = isinstance(claimed, Claimed)
        if isinstance(claimed, Pause):
            return claimed.seconds
        crash.at(crash.AFTER_SENDING)
        task = asyncio.create_task(self._carry_out(claimed))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return 0

    async def _carry_out(self, claimed: Claimed) -> None:
        log_context.chat_id.set(claimed.call.chat_id)
        outcome = await perform(self._bot, claimed)
        crash.at(crash.AFTER_HTTP)
        if outcome.error:
            await name_request(claimed.call)
            logger.warning("%s: %s, %s", claimed.call.method, outcome.state.value, outcome.error)
        while True:
            try:
                await in_thread(settle, claimed.call, outcome)
            except Error as error:
                # What Telegram said must not be forgotten because the database is away for a while.
                logger.warning("Outbox: an answer waits for the database (%s)", type(error).__name__)
                await asyncio.sleep(LOOK_EVERY)
            else:
                self._bell.ring()
                return
