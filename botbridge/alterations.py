"""Changes of messages Telegram has, as Bot API requests: one for each of its messages, until there is none left.

All of them are idempotent (Bot API, "editMessageText", "deleteMessage", "setMessageReaction"): whatever stayed without
a clear answer is simply asked for again, until the domain gives it up.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from botbridge.models import ChatSession, OutboundCall, TelegramMessage
from botbridge.parts import said
from botbridge.requests import Outcome
from botbridge.too_many import PAUSED_FROM
from tickets import formatting, operations
from tickets.models import Alteration, AlterationKind, AlterationState, DeliveryState, Lane, Obstacle, Reason
from tickets.text import MAX_CAPTION, MAX_TEXT, pieces_of, utf16_length

EDIT_TEXT = "editMessageText"
EDIT_CAPTION = "editMessageCaption"
DELETE = "deleteMessage"
REACT = "setMessageReaction"

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=1)

METHODS = {AlterationKind.EDIT: EDIT_TEXT, AlterationKind.DELETE: DELETE, AlterationKind.REACTION: REACT}
#: What is said without asking Telegram: no message is known there, perhaps because another bot sent it.
NOT_OURS = Outcome(DeliveryState.FAILED, "this bot has no such message in Telegram")

#: Telegram's words for what is already as it should be (the wordings are those of Telegram's own server).
ALREADY = {
    EDIT_TEXT: ("message is not modified",),
    EDIT_CAPTION: ("message is not modified",),
    DELETE: ("message to delete not found",),
}
OBSTACLES = (
    ("message to edit not found", Obstacle.GONE),
    ("message to react not found", Obstacle.GONE),
    ("message_id_invalid", Obstacle.GONE),
    ("message can't be edited", Obstacle.FIXED),
    ("message can't be deleted", Obstacle.TOO_OLD),
)
OF_REASONS = {
    Reason.BLOCKED: Obstacle.BLOCKED,
    Reason.DEACTIVATED: Obstacle.DEACTIVATED,
    Reason.TOO_LONG: Obstacle.TOO_LONG,
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One request, `payload` as the Bot API takes it."""

    method: str
    payload: Json


# Claiming. The caller holds the bot's row, so that one worker at a time looks for the next.


def due(bot_id: int) -> QuerySet[Alteration]:
    """Changes that are due: one of a message at a time, oldest first.

    They keep no pace, but of a chat that Telegram wants left alone nothing is asked until then.
    """
    now = timezone.now()
    of_customer = ChatSession.objects.filter(bot_id=bot_id, chat_id=OuterRef("message__customer__telegram_user_id"))
    parked = of_customer.filter(next_send_at__gt=now + PAUSED_FROM)
    in_flight = Alteration.objects.filter(message=OuterRef("message"), state=AlterationState.SENDING)
    waiting = Alteration.objects.filter(state=AlterationState.QUEUED, due_at__lte=now, expires_at__gt=now)
    # An erased customer has no chat any more.
    reachable = waiting.filter(message__customer__telegram_user_id__isnull=False)
    return reachable.filter(~Exists(in_flight), ~Exists(parked)).order_by("due_at", "pk")


def next_step(bot_id: int) -> OutboundCall | None:
    """The next request a change needs, its row not saved yet.

    One about a message this bot never sent names none, and is not made (`NOT_OURS`).
    """
    first = due(bot_id).first()
    alteration = operations.start_alteration(alteration_id=first.pk) if first is not None else None
    if alteration is None:
        return None
    steps, done = steps_of(alteration, bot_id), alteration.steps_done
    unknown = Step(METHODS[AlterationKind(alteration.kind)], {"chat_id": alteration.message.customer.telegram_user_id})
    return _call_of(alteration, steps[done] if done < len(steps) else unknown, bot_id)


def _call_of(alteration: Alteration, step: Step, bot_id: int) -> OutboundCall:
    known = OutboundCall.objects.filter(alteration=alteration, part=alteration.steps_done)
    call = known.first() or OutboundCall(alteration=alteration, part=alteration.steps_done)
    call.bot_id, call.chat_id, call.lane = bot_id, step.payload["chat_id"], Lane.ANSWER
    call.method, call.payload, call.expires_at = step.method, step.payload, alteration.expires_at
    if not ChatSession.objects.filter(bot_id=bot_id, chat_id=call.chat_id).exists():
        session = ChatSession(bot_id=bot_id, chat_id=call.chat_id, customer_id=alteration.message.customer_id)
        ChatSession.objects.bulk_create([session], ignore_conflicts=True)
    return call


# What is asked.


def steps_of(alteration: Alteration, bot_id: int) -> list[Step]:
    """Every request a change needs, those made already included; none where this bot has no such message, or does not
    know each part it would have to ask for: Telegram may never have said which one that is.
    """
    messages = TelegramMessage.objects.filter(bot_id=bot_id, message=alteration.message_id)
    there = {known.part: {"chat_id": known.chat_id, "message_id": known.telegram_id} for known in messages}
    match alteration.kind:
        case AlterationKind.EDIT:
            return _edits(alteration, there)
        case AlterationKind.DELETE:
            return _deletions(there, range(alteration.message.delivery.parts_sent))
    reaction = [{"type": "emoji", "emoji": alteration.text}] if alteration.text else []
    return [Step(REACT, {**there[part], "reaction": reaction}) for part in sorted(there)[:1]]


def _edits(alteration: Alteration, there: dict[int, Json]) -> list[Step]:
    """New words for the first messages of a reply, and the end of those they do not need any more."""
    message = alteration.message
    if message.attachments.exists():
        return [Step(EDIT_CAPTION, {**there[0], **_words(alteration, 0, captioned=True)})] if 0 in there else []
    pieces = formatting.pieces_of(alteration.text, alteration.entities)
    if not set(range(max(len(pieces), message.delivery.parts_sent))) <= set(there):
        return []
    words = [
        Step(EDIT_TEXT, {**there[part], **_words(alteration, part, captioned=False)}) for part in range(len(pieces))
    ]
    return [*words, *_deletions(there, range(len(pieces), message.delivery.parts_sent))]


def _deletions(there: dict[int, Json], parts: range) -> list[Step]:
    """From the last on, so that what the customer still has of a reply begins with its beginning."""
    return [Step(DELETE, there[part]) for part in reversed(parts)] if set(parts) <= set(there) else []


def _words(alteration: Alteration, part: int, *, captioned: bool) -> Json:
    """The words of a part with the same lines above them as when they were sent, whoever has what other tickets since.

    As in sending, the text stands alone where both would not fit.
    """
    head = head_as_sent(alteration, part)
    piece, entities = formatting.pieces_of(alteration.text, alteration.entities)[part]
    text, limit = f"{head}{piece}", MAX_CAPTION if captioned else MAX_TEXT
    if not piece:
        text = head.rstrip("\n")
    if not head or utf16_length(text) > limit:
        text = piece
    else:
        shift = utf16_length(head)
        bold = {"type": "bold", "offset": 0, "length": utf16_length(head.rstrip("\n"))}
        entities = [bold, *({**entity, "offset": entity["offset"] + shift} for entity in entities)]
    return said(text, entities, captioned=captioned)


def head_as_sent(alteration: Alteration, part: int) -> str:
    """The lines above a part's words as the customer got them, with the last one's end; empty where there were none.

    Above the first that is who writes about what, above another the number where its topic had gone in the middle.
    """
    sent = OutboundCall.objects.filter(delivery=alteration.message_id, part=part).first()
    edits = alteration.message.alterations.filter(kind=AlterationKind.EDIT).order_by("pk")
    pieces = pieces_of(edits.values_list("former_text", flat=True).first() or "")
    if sent is None or part >= len(pieces):
        return ""
    # In an album the words stand under its first file.
    payload = sent.payload["media"][0] if "media" in sent.payload else sent.payload
    text = str(payload.get("text", payload.get("caption", "")))
    words = pieces[part]
    if not words:
        return f"{text}\n" if text else ""
    return text.removesuffix(words) if text.endswith(words) else ""


# Settling.


def settle(alteration_id: int, call: OutboundCall, outcome: Outcome) -> DeliveryState:
    """Tell the domain what became of a request, and return in which state that leaves the request itself.

    The caller has locked the chat's row, as before any ticket's.
    """
    alteration = Alteration.objects.select_related("message__customer", "message__delivery").get(pk=alteration_id)
    if outcome.state == DeliveryState.SENT or is_already(call.method, outcome):
        done = call.part + 1
        is_last = done >= len(steps_of(alteration, call.bot_id))
        _tell(alteration, AlterationState.DONE if is_last else AlterationState.QUEUED, done)
        return DeliveryState.SENT
    if outcome.state == DeliveryState.HELD:
        operations.customer_stopped_bot(customer=alteration.message.customer)
    if outcome.state in (DeliveryState.HELD, DeliveryState.FAILED):
        obstacle = Obstacle.REFUSED if _is_known_in_part(alteration, call, outcome) else obstacle_of(outcome)
        _tell(alteration, AlterationState.FAILED, call.part, obstacle=obstacle)
        return DeliveryState.FAILED
    pause = min(FIRST_PAUSE * (1 << min(alteration.attempts - 1, 10)), LONGEST_PAUSE)
    again_in = max(pause, outcome.chat_pause, outcome.bot_pause)
    _tell(alteration, AlterationState.QUEUED, call.part, again_in=again_in)
    return DeliveryState.QUEUED


def _tell(alteration: Alteration, state: AlterationState, steps_done: int, **more: Any) -> None:
    operations.settle_alteration(alteration_id=alteration.pk, state=state, steps_done=steps_done, **more)


def is_already(method: str, outcome: Outcome) -> bool:
    """Whether Telegram refuses because there is nothing left to do."""
    said = outcome.error.lower()
    return outcome.state == DeliveryState.FAILED and any(words in said for words in ALREADY.get(method, ()))


def _is_known_in_part(alteration: Alteration, call: OutboundCall, outcome: Outcome) -> bool:
    """Whether the customer has it, and no more is missing than the number of some part of it."""
    known = TelegramMessage.objects.filter(bot_id=call.bot_id, message=alteration.message_id)
    return outcome == NOT_OURS and known.exists()


def obstacle_of(outcome: Outcome) -> Obstacle:
    if outcome == NOT_OURS:
        return Obstacle.GONE
    said = outcome.error.lower()
    named = next((obstacle for words, obstacle in OBSTACLES if words in said), None)
    return named or OF_REASONS.get(Reason(outcome.reason) if outcome.reason else Reason.REFUSED, Obstacle.REFUSED)
