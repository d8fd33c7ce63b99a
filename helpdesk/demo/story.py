"""Telling of past days through today's operations: each act is done now, then carries the moment it belongs to."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.db.models import Max, Model
from django.utils import timezone

from tickets import operations
from tickets.models import (
    ContentType,
    Customer,
    Delivery,
    DeliveryState,
    Event,
    Message,
    MessageRevision,
    Notice,
    Ticket,
    Topic,
    User,
)

# What the acts of one step stamp with the present moment.
STAMPS: tuple[tuple[type[Model], tuple[str, ...]], ...] = (
    (Customer, ("created_at", "phone_verified_at")),
    (Message, ("sent_at", "created_at", "edited_at")),
    (MessageRevision, ("replaced_at",)),
    (Delivery, ("queued_at", "due_at", "settled_at")),
    (
        Ticket,
        (
            "created_at",
            "updated_at",
            "waiting_since",
            "first_answered_at",
            "last_message_at",
            "resolved_at",
        ),
    ),
)


class Story:
    """One customer's conversation. Times are `ago`, counted back from the moment the demo is made."""

    def __init__(self, *, telegram_user_id: int, name: str, username: str = "", language_code: str = "ru") -> None:
        self._person = {
            "telegram_user_id": telegram_user_id,
            "name": name,
            "username": username,
            "language_code": language_code,
        }
        self.now = timezone.now()
        self.ticket: Ticket | None = None

    @property
    def ticket_id(self) -> int:
        assert self.ticket is not None, "the customer writes first"
        return self.ticket.pk

    def customer(self) -> Customer:
        return operations.identify_customer(**self._person)  # type: ignore[arg-type]

    @contextmanager
    def at(self, ago: timedelta) -> Iterator[None]:
        """What the body does happened `ago`."""
        moment, started = self.now - ago, timezone.now()
        last_event = Event.objects.aggregate(last=Max("pk"))["last"] or 0
        yield
        for model, fields in STAMPS:
            for field in fields:
                model._default_manager.filter(**{f"{field}__gte": started}).update(**{field: moment})
        # The database refuses an UPDATE of history, so the fresh lines are written again with the story's time.
        events = list(Event.objects.filter(pk__gt=last_event))
        Event.objects.filter(pk__gt=last_event).delete()
        for event in events:
            event.created_at = moment
        Event.objects.bulk_create(events)

    def says(self, text: str, *, ago: timedelta, photo: bytes | None = None, topic: Topic | None = None) -> Message:
        """The customer writes; the first message opens the ticket."""
        with self.at(ago):
            file = operations.IncomingFile(kind=ContentType.PHOTO) if photo else None
            incoming = operations.Incoming(
                sent_at=self.now - ago,
                text=text,
                content_type=ContentType.PHOTO if photo else ContentType.TEXT,
                files=[file] if file else [],
            )
            received = operations.receive(customer=self.customer(), incoming=incoming, ticket=self.ticket, topic=topic)
            self.ticket = received.ticket
            if photo:
                attachment = received.message.attachments.get()
                operations.attach_file(attachment_id=attachment.pk, file=ContentFile(photo))
        return received.message

    def corrects(self, message: Message, text: str, *, ago: timedelta) -> None:
        """The customer edits what they wrote."""
        with self.at(ago):
            operations.revise(message=message, text=text, entities=[], edited_at=self.now - ago)

    def bot_says(self, notice: Notice, text: str, *, ago: timedelta) -> None:
        with self.at(ago):
            message = operations.say(customer=self.customer(), notice=notice, text=text, ticket=self.ticket)
            self._arrive(message)

    def answers(
        self, actor: User, text: str, *, ago: timedelta, fate: DeliveryState = DeliveryState.SENT, **options: Any
    ) -> Message:
        """A manager replies, and Telegram's word on it is `fate`."""
        with self.at(ago):
            message = operations.reply(
                ticket_id=self.ticket_id, actor=actor, text=text, client_id=uuid.uuid4(), **options
            )
            parts = operations.parts_of(message) if fate == DeliveryState.SENT else 0
            operations.settle(delivery_id=message.pk, state=fate, parts_sent=parts)
            self._arrive_solved()
            operations.mark_seen(ticket_id=self.ticket_id, user=actor, message_id=message.pk)
        return message

    def notes(self, actor: User, text: str, *, ago: timedelta) -> None:
        with self.at(ago):
            operations.note(ticket_id=self.ticket_id, actor=actor, text=text, client_id=uuid.uuid4())

    def _arrive(self, message: Message) -> None:
        operations.settle(delivery_id=message.pk, state=DeliveryState.SENT, parts_sent=operations.parts_of(message))

    def _arrive_solved(self) -> None:
        """The demo's customers are in no Telegram: nothing of theirs may be left to send."""
        for message in Message.objects.filter(
            ticket=self.ticket, notice=Notice.SOLVED, delivery__state=DeliveryState.QUEUED
        ):
            self._arrive(message)
