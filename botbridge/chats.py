"""One customer's chat within one update's transaction: their words into the domain, the bot's words back.

Everything here runs on the thread that holds the transaction, with the chat's row locked by the inbox.
"""

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from aiogram import types
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone, translation

from botbridge import calls, conversation, forum_topics, pace
from botbridge.doorbell import JOBS
from botbridge.incoming import (
    ABOUT_FORUM_TOPICS,
    NOTHING_UNSAID,
    OPENED,
    SERVICE,
    TelegramFileObject,
    as_time,
    file_of,
    files_of,
    incoming,
    incoming_file,
    is_too_big,
    kind_of,
    live_until,
    lost_its_content,
    shows_files_in_words,
    words_of,
)
from botbridge.models import LOOKED_THROUGH, ChatSession, TelegramFile, TelegramMessage, Update
from botbridge.outages import outage_at
from botbridge.sessions import ALBUMS_REMEMBERED
from tickets import operations
from tickets.cards import masked
from tickets.models import (
    ACTIVE,
    REOPEN_WITHIN,
    Attachment,
    ContentType,
    Customer,
    Lane,
    Language,
    Message,
    Notice,
    Sender,
    Status,
    Ticket,
    Topic,
)
from tickets.models.tickets import TicketQuerySet
from tickets.operations import Received, WrongState
from tickets.operations.acts import notify

LONGEST_TOPIC = 60
#: How many tickets /my lists.
LISTED = 10


class Chat:
    """What a handler may do for the customer it hears in `update`. `thread_id`: the topic of the chat this happens in,
    if any.
    """

    def __init__(
        self, session: ChatSession, customer: Customer, update: Update, *, first_name: str, thread_id: int | None
    ) -> None:
        self.session = session
        self.customer = customer
        self.update = update
        self.first_name = first_name
        self.thread_id = thread_id

    @classmethod
    def open(
        cls, session: ChatSession, user: types.User, update: Update, *, thread_id: int | None, wrote_at: datetime | None
    ) -> Self:
        """The chat of a person who wrote something, at `wrote_at`, or pressed a button, nobody knows when."""
        customer = operations.identify_customer(
            known=session.customer,
            telegram_user_id=user.id,
            name=user.full_name,
            username=user.username or "",
            language_code=user.language_code or "",
        )
        if session.customer_id != customer.pk:
            session.customer = customer
            session.save(update_fields=["customer"])
        # A press from before they stopped the bot may come after it; of their return Telegram tells besides.
        if customer.stopped_bot_at is not None and wrote_at is not None:
            operations.customer_returned(customer=customer, at=wrote_at)
        chat = cls(session, customer, update, first_name=user.first_name, thread_id=thread_id)
        if pace.is_flood(session):
            chat.calm()
        return chat

    # What the bot says.

    def say(
        self,
        notice: Notice,
        text: str,
        *,
        ticket: Ticket | None = None,
        lane: Lane = Lane.ANSWER,
        here: bool = False,
    ) -> None:
        """One sentence, unless this customer hears too many of them already or is muted.

        One about a ticket goes into its topic, unless it is to answer `here`, where the customer is.
        """
        if self.may_answer():
            message = operations.say(customer=self.customer, notice=notice, text=text, ticket=ticket, lane=lane)
            if here or ticket is None:
                self._answer_here(message)

    def _answer_here(self, message: Message) -> None:
        """A sentence goes to the main chat anyway, unless its ticket has a topic."""
        if (self.thread_id is not None or message.ticket_id is not None) and self._gives_forum_topics:
            forum_topics.answer_here(message, self.thread_id)

    @cached_property
    def _gives_forum_topics(self) -> bool:
        return forum_topics.are_given_by(self.session.bot_id)

    def may_answer(self) -> bool:
        """Whether what was written or pressed is answered; the last answer of a flood says that all is kept."""
        if self.customer.is_muted:
            return False
        if pace.may_say(self.session):
            return True
        self.calm()
        return False

    def calm(self) -> None:
        """Mark a flood for supervisors, and tell its author once that nothing is lost and nothing need be repeated."""
        if operations.note_flood(customer=self.customer) and not self.customer.is_muted:
            with self.speaking():
                text = conversation.flood()
            self._answer_here(operations.say(customer=self.customer, notice=Notice.OTHER, text=text, lane=Lane.RECEIPT))

    def greet(self) -> None:
        with self.speaking():
            text = conversation.greeting(
                first_name=self.first_name, brand=settings.BRAND_NAME, has_topics=topics_offered().exists()
            )
        self.say(Notice.START, text)

    def help(self) -> None:
        with self.speaking():
            text = conversation.help_text(brand=settings.BRAND_NAME)
        self.say(Notice.HELP, text)

    def ask_language(self) -> None:
        with self.speaking():
            text = conversation.choose_language()
        self.say(Notice.LANGUAGE, text)

    def set_language(self, language: Language) -> None:
        operations.set_customer_language(customer=self.customer, language=language)
        with self.speaking():
            text = conversation.language_chosen()
        self.say(Notice.OTHER, text)

    def speaking(self) -> Any:
        """The customer's language, for a `with` around the script's functions."""
        return translation.override(self.customer.language)

    # What the customer writes.

    def receive(self, message: types.Message, *, as_new: bool = False, topic: Topic | None = None) -> bool:
        """Store a message, whatever the bot was waiting for, and say what has to be said about it. False for one that
        is stored already, or that nobody wrote and that concerns no question at work.

        `as_new`: the customer said that it is a new question. `topic`: chosen before the question.
        """
        known = self._known(message.message_id)
        if known is not None:
            self._keep_former(message, known)
            return False
        if self._is_about_forum_topics(message) or (kind_of(message) in SERVICE and not self._has_work()):
            return False
        quote = self._quoted(message)
        album = self._ticket_of_album(message)
        leads_on = self._leads_on(album)
        named = topic_named(message.text or "")
        asked_at = self._asked_at(message)
        received = operations.receive(
            customer=self.customer,
            incoming=replace(incoming(message, quote=quote), sent_at=asked_at),
            ticket=album or self._ticket_for(message, quote, as_new=as_new),
            topic=named or topic,
            opens_most=pace.OPENED_MOST,
        )
        if named is not None and received.ticket.topic_id != named.pk:
            # What a button says, written by hand, does what the button does: a press may have been lost.
            received = replace(received, ticket=operations.choose_topic(ticket=received.ticket, topic=named))
        self._remember(message, received)
        if leads_on:
            self._make_current(received.ticket)
        if self.thread_id is not None and self._gives_forum_topics:
            forum_topics.bind(self.session, self.thread_id, received.ticket)
        self._take_phone(message)
        if not self._apologise(received, asked_at):
            self._confirm(received)
        self._warn(message, received.ticket)
        self._warn_of_card(words_of(message)[0], received.ticket)
        return True

    def _asked_at(self, message: types.Message) -> datetime:
        """When the customer wrote it; of a command, answered in its time, that an edit made a question, when it did."""
        if message.edit_date and self.update.follows_message(message.message_id):
            return as_time(message.edit_date)
        return as_time(message.date)

    def revise(self, message: types.Message) -> bool:
        """Take over an edit. False when the bot has never seen the message."""
        known = self._known(message.message_id)
        if known is None:
            return False
        text, entities = words_of(message)
        edited_at = as_time(message.edit_date) if message.edit_date else timezone.now()
        if message.location is not None:
            # The last word of a live location, that it has ended, names no time to come; a place that stays never did.
            until = live_until(message) or (edited_at if known.live_until is not None else None)
            if until is not None:
                operations.move_place(message=known, text=text, live_until=until, placed_at=edited_at)
            return True
        said = known.text
        operations.revise(message=known, text=text, entities=entities, edited_at=edited_at)
        if masked(text) != said:
            self._warn_of_card(text, known.ticket)
        self._replace_files(message, known, edited_at)
        return True

    def _keep_former(self, message: types.Message, known: Message) -> None:
        """What a message said before its edit, which came first. The places a live location left are not kept."""
        if message.location is not None:
            return
        text, entities = words_of(message)
        operations.keep_former(message=known, text=text, entities=entities)
        for file in reversed(files_of(message)):  # each goes before the others
            attachment = operations.keep_former_file(message=known, file=incoming_file(message, file))
            if attachment is not None:
                self._fetch(attachment, file)

    def _replace_files(self, message: types.Message, known: Message, edited_at: datetime) -> None:
        """Have the files fetched that an edit put in others' place; an edit of the caption brings the files known."""
        files = files_of(message)
        if not files:
            return
        attachments = operations.replace_files(
            message=known, files=[incoming_file(message, file) for file in files], edited_at=edited_at
        )
        for attachment, file in zip(attachments, files, strict=True):
            if attachment is not None:
                self._fetch(attachment, file)
        if any(attachments) and known.ticket is not None:
            self._warn(message, known.ticket)

    def _fetch(self, attachment: Attachment, file: TelegramFileObject) -> None:
        TelegramFile.objects.create(bot_id=self.session.bot_id, attachment=attachment, file_id=file.file_id)
        notify(JOBS)

    def _known(self, telegram_id: int) -> Message | None:
        row = (
            TelegramMessage.objects.filter(
                bot_id=self.session.bot_id, chat_id=self.session.chat_id, telegram_id=telegram_id
            )
            .select_related("message__ticket")
            .first()
        )
        return row.message if row is not None else None

    def _quoted(self, message: types.Message) -> Message | None:
        return self._known(message.reply_to_message.message_id) if message.reply_to_message is not None else None

    def _ticket_for(self, message: types.Message, quote: Message | None, *, as_new: bool) -> Ticket | None:
        """The ticket a message belongs to that is of no album known: a new one where that was said, of the topic it is
        written in, of what it quotes, the current.

        None opens one, as does a topic that is nobody's yet.
        """
        if as_new:
            return None
        if self.ticket_here is not None:
            return self.ticket_here
        if quote is not None and quote.ticket is not None:
            return quote.ticket
        return self._named_by_forum_topic(message) if self._is_in_new_forum_topic else self.current_ticket()

    def _ticket_of_album(self, message: types.Message) -> Ticket | None:
        """Where the parts of its album that came before it are."""
        album = message.media_group_id
        if not album:
            return None
        remembered = {item["media_group_id"]: item["ticket"] for item in self.session.pending_media}
        if album in remembered:
            return self.ticket(remembered[album])
        last = self.customer.messages.order_by("-pk").values_list("sender", "media_group_id", "ticket")[:LOOKED_THROUGH]
        tickets = (ticket for sender, known, ticket in last if sender == Sender.CLIENT and known == album)
        ticket_id = next(tickets, None)
        return self.ticket(ticket_id) if ticket_id is not None else None

    def has_gone_on(self, message: types.Message) -> bool:
        """Whether the customer has gone on since they wrote it: a part of an album that is here, or what was parked
        and is tried again. What the bot waits for, and where they write now, is not about it.
        """
        return self._is_overtaken or self._ticket_of_album(message) is not None

    @cached_property
    def _is_overtaken(self) -> bool:
        since = self.session.current_since
        # What came after the last turn of the conversation needs no looking up.
        return since is not None and self.update.received_at < since and self.update.is_overtaken()

    def _leads_on(self, album: Ticket | None) -> bool:
        """Whether what the customer writes next goes where this goes; asked before this is received. Where they have
        gone on, only if nothing else is at work.
        """
        if album is None and not self._is_overtaken:
            return True
        current = self.current_ticket()
        return current is None or not current.is_active

    def _remember(self, message: types.Message, received: Received) -> None:
        session = self.session
        TelegramMessage.objects.create(
            bot_id=session.bot_id,
            chat_id=session.chat_id,
            telegram_id=message.message_id,
            message=received.message,
        )
        for attachment, file in zip(received.message.attachments.order_by("position"), files_of(message), strict=True):
            self._fetch(attachment, file)
        if message.media_group_id:
            album = {"media_group_id": message.media_group_id, "ticket": received.ticket.pk}
            others = [item for item in session.pending_media if item["media_group_id"] != message.media_group_id]
            session.pending_media = [*others, album][-ALBUMS_REMEMBERED:]
            session.save(update_fields=["pending_media"])

    def _take_phone(self, message: types.Message) -> None:
        """Keep the customer's own number; anybody's contact can be shared, so Telegram must say whose it is."""
        contact = message.contact
        if contact is not None and message.from_user is not None and contact.user_id == message.from_user.id:
            operations.set_customer_phone(customer=self.customer, phone=contact.phone_number, verified=True)

    def _apologise(self, received: Received, written_at: datetime) -> bool:
        """Once a customer for what was written during an outage, where otherwise a receipt would be due."""
        if not (received.opened or received.reopened or received.joined):
            return False
        session, ticket = self.session, received.ticket
        outage = outage_at(session.bot_id, written_at)
        if outage is None:
            return False
        if session.apologised_for_id != outage.pk:
            session.apologised_for = outage
            session.save(update_fields=["apologised_for"])
            asks_topic = self._asks_topic(ticket)
            with self.speaking():
                text = conversation.apology(ticket, since=outage.began_at, until=outage.ended_at, asks_topic=asks_topic)
            self.say(Notice.APOLOGY, text, ticket=ticket, lane=Lane.RECEIPT)
        return True

    def _asks_topic(self, ticket: Ticket) -> bool:
        return ticket.topic_id is None and topics_offered().exists()

    def _confirm(self, received: Received) -> None:
        """One receipt a ticket, and a word when a solved one comes back; what is added later goes in silence."""
        ticket = received.ticket
        with self.speaking():
            if received.opened:
                text = conversation.receipt(ticket, asks_topic=self._asks_topic(ticket))
                self.say(Notice.RECEIPT, text, ticket=ticket, lane=Lane.RECEIPT)
            elif received.reopened:
                self.say(Notice.REOPENED, conversation.reopened(ticket), ticket=ticket, lane=Lane.RECEIPT)
            elif received.joined and not self.customer.is_muted and pace.may_tell_joined(self.session):
                self.say(Notice.OTHER, conversation.joined(ticket), ticket=ticket, lane=Lane.RECEIPT)

    def _warn(self, message: types.Message, ticket: Ticket) -> None:
        """Tell the customer what the desk cannot show, while they can still put it another way."""
        kind = kind_of(message)
        understood = kind in (ContentType.TEXT, *OPENED, *NOTHING_UNSAID, *SERVICE) or bool(words_of(message)[0])
        if lost_its_content(message) or shows_files_in_words(message):
            understood = False
        with self.speaking():
            if is_too_big(file_of(message)):
                text = conversation.file_too_big(settings.TELEGRAM_DOWNLOAD_MB)
                self.say(Notice.OTHER, text, ticket=ticket, lane=Lane.RECEIPT)
            elif not understood:
                self.say(Notice.OTHER, conversation.unknown_kind(), ticket=ticket, lane=Lane.RECEIPT)

    def _warn_of_card(self, words: str, ticket: Ticket | None) -> None:
        """Say that a card's number is not needed; in the chat itself only the customer can delete it."""
        if masked(words) != words:
            with self.speaking():
                self.say(Notice.OTHER, conversation.card_seen(), ticket=ticket, lane=Lane.RECEIPT)

    # Which question.

    def ticket(self, ticket_id: int) -> Ticket | None:
        """One of this customer's own tickets: ids in buttons and commands come from outside."""
        return self._tickets().filter(pk=ticket_id).first()

    def current_ticket(self) -> Ticket | None:
        """Where the next message goes: the ticket last talked about, else the newest one at work."""
        current = self.session.next_ticket_id
        ticket = self.ticket(current) if current is not None else None
        return ticket or self._tickets().active().order_by("-pk").first()

    @cached_property
    def ticket_here(self) -> Ticket | None:
        """The ticket whose topic this happens in, whether topics are still given or not."""
        topic = forum_topics.topic_in(self.session, self.thread_id) if self.thread_id is not None else None
        return self.ticket(topic.ticket_id) if topic is not None else None

    def has_moved_on(self, asked_in: int | None) -> bool:
        """Whether this happens in the topic of another ticket at work than where a question was asked for, or after an
        answer to the last one.
        """
        here = self.ticket_here
        is_elsewhere = self.thread_id != asked_in and here is not None and here.is_active
        return is_elsewhere or self.session.answered_ticket_id is not None

    @property
    def _is_in_new_forum_topic(self) -> bool:
        """Whether this happens in a topic the customer has opened for a question to come."""
        return self.thread_id is not None and self.ticket_here is None and self._gives_forum_topics

    def _named_by_forum_topic(self, message: types.Message) -> Ticket | None:
        """The ticket a topic nobody knows bears the number of: the bot may have made it without ever hearing of it, or
        have taken it for lost while Threaded Mode was off.

        The first message in a topic tells its name, and so does every one that answers it.
        """
        answered = message.reply_to_message
        created = message.forum_topic_created or (answered.forum_topic_created if answered is not None else None)
        number = conversation.ticket_number_in(created.name) if created is not None else None
        return self.ticket(number) if number is not None else None

    def _is_about_forum_topics(self, message: types.Message) -> bool:
        """Whether nothing is said but that a topic was made or renamed: no bubble, since the topics are the bot's own
        way to show tickets. One that bears the number of a ticket without a topic becomes that ticket's.
        """
        if kind_of(message) not in ABOUT_FORUM_TOPICS or not self._gives_forum_topics:
            return False
        ticket = self._named_by_forum_topic(message)
        if self.thread_id is not None and ticket is not None:
            forum_topics.bind(self.session, self.thread_id, ticket)
        return True

    def open_ticket(self) -> Ticket | None:
        """The ticket at work a new question might belong to."""
        current = self.ticket_here or self.current_ticket()
        if current is not None and current.is_active:
            return current
        return self._tickets().active().order_by("-pk").first()

    def _has_work(self) -> bool:
        current = self.ticket_here or (None if self._is_in_new_forum_topic else self.current_ticket())
        return current is not None and current.is_active

    def _tickets(self) -> TicketQuerySet:
        return Ticket.objects.filter(customer=self.customer).select_related("topic")

    # Commands.

    def begin_new(self) -> bool:
        """/new: ask whether it is about the question at work. True when there is none, so the next message is new."""
        ticket = self.open_ticket()
        with self.speaking():
            if ticket is None:
                self.say(Notice.OTHER, conversation.write_question())
                return True
            self.say(Notice.NEW_OR_SAME, conversation.same_or_new(ticket), ticket=ticket, here=True)
        return False

    def list_tickets(self) -> None:
        with self.speaking():
            text = conversation.tickets_list(listed(self.customer), self.ticket_here or self.current_ticket())
        self.say(Notice.LIST, text)

    def switch(self, ticket_id: int) -> None:
        """Write to this ticket from now on, if it is one of those /my lists."""
        ticket = next((item for item in listed(self.customer) if item.pk == ticket_id), None)
        with self.speaking():
            if ticket is None:
                self.say(Notice.OTHER, conversation.no_such_ticket())
                return
            self._make_current(ticket)
            # In another ticket's topic it would not be true: what is written there stays with that ticket.
            self.say(Notice.OTHER, conversation.switched(ticket), ticket=ticket, here=self.thread_id is None)

    def _make_current(self, ticket: Ticket) -> None:
        self.session.make_current(ticket)
        self.session.save(update_fields=["current_ticket", "current_since"])

    # Presses. Each is answered, and a keyboard that has done its work goes.

    def press_topic(self, pressed: int, press_id: str, topic_id: int) -> Topic | None:
        """Sort the question a topic button belongs to. Returns the topic when the question is still to be written."""
        topic = topics_offered().filter(pk=topic_id).first()
        if topic is None:
            self.press_nothing(pressed, press_id)
            return None
        ticket = self._asked_about(pressed)
        with self.speaking():
            if ticket is not None:
                operations.choose_topic(ticket=ticket, topic=topic)
                self._answer(press_id, topic.label())
                calls.edit_keyboard(self.session, pressed, conversation.change_topic_keyboard())
                return None
            self.press_nothing(pressed, press_id)
            self.say(Notice.TOPIC_CHOSEN, conversation.topic_chosen(topic), ticket=self.open_ticket(), here=True)
        return topic

    def _asked_about(self, pressed: int) -> Ticket | None:
        """The ticket under whose receipt the button hangs, or the one at work that has no topic yet.

        «Сменить тему» under a topic chosen before its question means the ticket that question has opened.
        """
        known = self._known(pressed)
        ticket = known.ticket if known is not None else None
        if known is not None and known.notice == Notice.TOPIC_CHOSEN:
            ticket = self._tickets().filter(opened_by__gt=known.pk).order_by("pk").first()
        elif ticket is None:
            ticket = self.open_ticket()
            return ticket if ticket is not None and ticket.topic is None else None
        return ticket if ticket is not None and ticket.is_active else None

    def press_change_topic(self, pressed: int, press_id: str) -> None:
        with self.speaking():
            calls.edit_keyboard(self.session, pressed, conversation.topics_keyboard(list(topics_offered())))
        self._answer(press_id)

    def press_language(self, pressed: int, press_id: str, language: str) -> None:
        self.press_nothing(pressed, press_id)
        if language not in Language.values:
            return
        known = self._known(pressed)
        self.set_language(Language(language))
        if known is not None and known.notice == Notice.START:
            self.greet()

    def press_same(self, pressed: int, press_id: str, ticket_id: int) -> None:
        ticket = self.ticket(ticket_id)
        if ticket is not None:
            self._make_current(ticket)
        with self.speaking():
            self.press_nothing(pressed, press_id, conversation.keep_writing())

    def press_new(self, pressed: int, press_id: str) -> None:
        self.press_nothing(pressed, press_id)
        with self.speaking():
            self.say(Notice.OTHER, conversation.write_question(), ticket=self.open_ticket(), here=True)

    def press_switch(self, pressed: int, press_id: str, ticket_id: int) -> None:
        self.press_nothing(pressed, press_id)
        self.switch(ticket_id)

    def press_not_solved(self, pressed: int, press_id: str, ticket_id: int) -> None:
        ticket = self.ticket(ticket_id)
        with self.speaking():
            if ticket is None:
                self.press_nothing(pressed, press_id, conversation.cannot_reopen())
                return
            try:
                operations.reopen_by_customer(ticket=ticket)
            except WrongState:
                self._refuse_reopening(ticket, pressed, press_id)
                return
            self.press_nothing(pressed, press_id)
            self._make_current(ticket)
            self.say(Notice.REOPENED, conversation.not_solved(), ticket=ticket)

    def _refuse_reopening(self, ticket: Ticket, pressed: int, press_id: str) -> None:
        """A ticket somebody has brought back already is what the customer wants to write to; a closed one is over."""
        ticket.refresh_from_db()
        if not ticket.is_active:
            self.press_nothing(pressed, press_id, conversation.cannot_reopen())
            return
        self._make_current(ticket)
        self.press_nothing(pressed, press_id, conversation.already_at_work())

    def press_nothing(self, pressed: int, press_id: str, text: str = "") -> None:
        """Answer a press and take its keyboard away."""
        self._answer(press_id, text)
        calls.edit_keyboard(self.session, pressed, [])

    def _answer(self, press_id: str, text: str = "") -> None:
        calls.answer_press(self.session, press_id, text)


def topics_offered() -> QuerySet[Topic]:
    return Topic.objects.filter(retired_at__isnull=True).order_by("position", "pk")


def topic_named(text: str) -> Topic | None:
    """The topic whose button says exactly this, in any of the bot's languages."""
    wanted = text.strip().casefold()
    if len(wanted) > LONGEST_TOPIC:
        return None
    labels = ((topic, {topic.label(language).casefold() for language in Language.values}) for topic in topics_offered())
    return next((topic for topic, names in labels if wanted in names), None)


def listed(customer: Customer) -> list[Ticket]:
    """What /my lists and switches to: tickets at work and those a message would still bring back, newest first."""
    lately = Q(status=Status.RESOLVED, resolved_at__gt=timezone.now() - REOPEN_WITHIN)
    tickets = Ticket.objects.filter(Q(status__in=ACTIVE) | lately, customer=customer).select_related("topic")
    return list(tickets.order_by("-pk")[:LISTED])
