"""A message, or an album's messages, as a bubble: its words, its files, what became of it and what may be done."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tickets.files import INLINE_TYPES, can_be_asked_for_again
from tickets.marks import marks_of
from tickets.models import (
    Alteration,
    AlterationKind,
    AlterationState,
    Attachment,
    AttachmentState,
    ContentType,
    Decision,
    Delivery,
    DeliveryState,
    Message,
    MessageRevision,
    Obstacle,
    Reason,
    Sender,
    User,
)
from tickets.operations import is_deletable, wanted_reaction
from tickets.pages.wording import clock
from tickets.rendering import render_note, render_text

ICONS: dict[str, str] = {
    ContentType.PHOTO: "i-image",
    ContentType.VIDEO: "i-play",
    ContentType.VIDEO_NOTE: "i-play",
    ContentType.ANIMATION: "i-image",
    ContentType.VOICE: "i-mic",
    ContentType.AUDIO: "i-mic",
    ContentType.STICKER: "i-image",
    ContentType.LIVE_PHOTO: "i-play",
    ContentType.CONTACT: "i-phone",
}
#: Kinds that are heard and not seen, whatever their file could hold.
SOUNDS = (ContentType.AUDIO, ContentType.VOICE)
PLACES = (ContentType.LOCATION, ContentType.VENUE)
#: Degrees, at the end of what a place says of itself.
COORDINATES = re.compile(r"(?P<lat>-?\d{1,2}(?:\.\d+)?), (?P<lon>-?\d{1,3}(?:\.\d+)?)\s*\Z")
MAP = "https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}"
#: A live location lasts so long at most, or until the customer ends it (Bot API, "Location": live_period).
LIVE_AT_MOST = timedelta(days=1)
#: Reactions that are no emoji, by the Bot API's names of their kinds (ReactionType).
NAMED_REACTIONS = {"custom_emoji": gettext_lazy("особый эмодзи"), "paid": gettext_lazy("платная реакция")}
#: The state of a bubble whose change did not come about at the customer's.
UNALTERED = "unaltered"


@dataclass(frozen=True)
class Mark:
    """What is known of a message's way to the customer: an icon with its meaning in words."""

    icon: str
    label: str
    pending: bool = False


@dataclass(frozen=True)
class Quote:
    """The message a bubble answers; without an id it is one this ticket does not hold, known by its words alone."""

    text: str
    name: str = ""
    message_id: int | None = None


@dataclass(frozen=True)
class Chip:
    """A reaction under a bubble: the customer's, or ours with how far it has come."""

    text: str
    label: str
    state: str = ""
    is_ours: bool = False


@dataclass
class FilePart:
    """A file as a bubble shows it."""

    attachment: Attachment

    @cached_property
    def is_lost(self) -> bool:
        return self.attachment.is_lost

    @property
    def is_ready(self) -> bool:
        return self.attachment.state == AttachmentState.READY and not self.is_lost

    @property
    def is_loading(self) -> bool:
        return self.attachment.state in (AttachmentState.PENDING, AttachmentState.FETCHING)

    @property
    def can_be_retried(self) -> bool:
        is_customers = self.attachment.message.sender == Sender.CLIENT
        return is_customers and can_be_asked_for_again(self.attachment)

    @property
    def trouble(self) -> str:
        """Why there is no file, in words."""
        if self.is_lost:
            return _("Файл пропал с диска сервера.")
        return self.attachment.get_reason_display() or self.attachment.get_state_display()

    @property
    def shown_as(self) -> str:
        """The element a file becomes: image, video, audio or card. Only a type sniffed from the bytes is played."""
        media_type = self.attachment.sniffed_type
        if not self.is_ready or media_type not in INLINE_TYPES or self.attachment.kind == ContentType.DOCUMENT:
            return "card"
        # MP4 holds a sound alone as well as a film.
        return "audio" if self.attachment.kind in SOUNDS else media_type.partition("/")[0]

    @property
    def has_thumbnail(self) -> bool:
        """Whether a small still stands for the picture."""
        return bool(self.attachment.thumbnail)

    @property
    def seen_at(self) -> str:
        """The route of what the page shows of the picture: the small still, until there is one the whole."""
        return "tickets:thumbnail" if self.has_thumbnail else "tickets:file"

    @property
    def is_picture(self) -> bool:
        """Whether this file takes a picture's place in an album, loaded or not."""
        return self.shown_as in ("image", "video")

    @property
    def is_sticker(self) -> bool:
        return self.attachment.kind == ContentType.STICKER

    @property
    def is_round(self) -> bool:
        return self.attachment.kind == ContentType.VIDEO_NOTE

    @property
    def goes_round(self) -> bool:
        """Whether it begins anew when it has ended, and is silent, as Telegram plays it."""
        return self.attachment.kind in (ContentType.ANIMATION, ContentType.STICKER, ContentType.LIVE_PHOTO)

    @property
    def name(self) -> str:
        """Its file's name; of a sticker what it is and the emoji it stands for."""
        kind = str(self.attachment.get_kind_display())
        if self.is_sticker:
            return f"{kind} {self.attachment.file_name}".rstrip()
        return self.attachment.file_name or kind

    @property
    def icon(self) -> str:
        return ICONS.get(self.attachment.kind, "i-file")


@dataclass
class Bubble:
    """One message, or the several messages of one album, as the log shows it."""

    messages: list[Message]
    reader: User
    customer_name: str
    may_decide: bool
    first: bool = True
    kind: str = "message"
    editing: bool = False
    retyped: str | None = None

    @property
    def message(self) -> Message:
        return self.messages[0]

    @property
    def last_id(self) -> int:
        return self.messages[-1].pk

    @property
    def other_ids(self) -> list[int]:
        """Ids of the album's other messages, so that links to them find their place."""
        return [message.pk for message in self.messages[1:]]

    @property
    def is_out(self) -> bool:
        return self.message.is_from_us

    @property
    def by(self) -> str:
        """Whose reply this is, where it is not the reader's own; how a customer's words came from elsewhere."""
        author, account = self.message.author, self.message.service_account
        if self.message.sender == Sender.SYSTEM:
            return _("Бот")
        if account is not None:
            return _("Через «%(name)s»") % {"name": account.name}
        if self.message.sender == Sender.CLIENT:
            return _("Записано со слов клиента: %(name)s") % {"name": author.display_name} if author else ""
        return author.display_name if author is not None and author.pk != self.reader.pk else ""

    @cached_property
    def html(self) -> SafeString:
        if self.message.sender == Sender.NOTE:
            return render_note(self.message.text, self.message.entities)
        texts = [message for message in self.messages if message.text]
        return render_text(texts[0].text, texts[0].entities) if texts else SafeString("")

    @cached_property
    def more_html(self) -> list[SafeString]:
        """The captions of an album's other messages: rare, but never hidden."""
        texts = [message for message in self.messages if message.text]
        return [render_text(message.text, message.entities) for message in texts[1:]]

    @cached_property
    def files(self) -> list[FilePart]:
        return [FilePart(attachment) for message in self.messages for attachment in message.parts]

    @cached_property
    def pictures(self) -> list[FilePart]:
        return [part for part in self.files if part.is_picture]

    @cached_property
    def other_files(self) -> list[FilePart]:
        return [part for part in self.files if not part.is_picture]

    @property
    def ends_with_file(self) -> bool:
        """Whether the bubble is a card of a file alone: its time then stands in the card.

        Of an edited one it stands below, since there is a link in it, and the card is one itself.
        """
        others = self.other_files
        if self.edited is not None:
            return False
        return not self.html and bool(others) and others[-1].is_ready and others[-1].shown_as == "card"

    @property
    def named_kind(self) -> str:
        """The kind in words, of a message that has no file to show; also of one in an album beside others that have."""
        without = (each for each in self.messages if each.content_type != ContentType.TEXT and not each.parts)
        return next((_kind_of(each) for each in without), "")

    @property
    def icon(self) -> str:
        return ICONS.get(self.message.content_type, "i-file")

    @property
    def map_url(self) -> str:
        """Where the place a message names is to be seen; empty where it names none."""
        place = COORDINATES.search(self.message.text) if self.message.content_type in PLACES else None
        return MAP.format(lat=place["lat"], lon=place["lon"]) if place else ""

    @property
    def edited(self) -> Message | None:
        """The message that was edited, of an album's the one edited last; `former_text` is what it said before."""
        edits = [(message.edited_at, message.pk, message) for message in self.messages if message.edited_at is not None]
        return max(edits)[2] if edits else None

    @cached_property
    def with_cards(self) -> list[Message]:
        """The messages that had a card's number in them, which may be shown."""
        return [message for message in self.messages if getattr(message, "hides_cards", False)]

    @property
    def delivery(self) -> Delivery | None:
        return getattr(self.message, "delivery", None)

    @property
    def state(self) -> str:
        """The state that colours the bubble and asks for a decision; empty where there is nothing to decide."""
        delivery = self.delivery
        if delivery is not None and delivery.needs_decision:
            return delivery.state
        return UNALTERED if self.alteration is not None and self.alteration.needs_look else ""

    @property
    def alteration(self) -> Alteration | None:
        """The last change asked for of what Telegram has of this message."""
        return self.message.alteration

    @property
    def unaltered(self) -> str:
        """Why the customer sees something else than they were to see, and what that is."""
        alteration = self.alteration
        if alteration is None or not alteration.needs_look:
            return ""
        obstacle = Obstacle(alteration.obstacle or Obstacle.REFUSED)
        is_edit = alteration.kind == AlterationKind.EDIT
        if obstacle.leaves_doubt:
            left = _("Клиент может видеть и прежний, и новый текст.") if is_edit else _("Клиент может ещё видеть его.")
        elif obstacle == Obstacle.GONE:
            left = ""
        else:
            left = _("Клиент видит прежний текст.") if is_edit else _("Клиент по-прежнему видит сообщение.")
        heading = _("Не изменено у клиента: %(why)s.") if is_edit else _("Не удалено у клиента: %(why)s.")
        return f"{heading % {'why': obstacle.label}} {left}".rstrip()

    @property
    def altering(self) -> str:
        """What is on its way to the customer's copy of these words."""
        pending = self.message.pending
        if pending is None or pending.kind == AlterationKind.REACTION:
            return ""
        return _("меняется у клиента…") if pending.kind == AlterationKind.EDIT else _("удаляется у клиента…")

    @property
    def is_cancelled(self) -> bool:
        """Whether these words were taken back and never reached the customer."""
        return self.delivery is not None and self.delivery.state == DeliveryState.CANCELLED

    @property
    def trouble(self) -> str:
        """What happened to the delivery, in a sentence."""
        delivery = self.delivery
        if delivery is None or not delivery.needs_decision:
            return ""
        if delivery.state == DeliveryState.FAILED and delivery.reason:
            return str(Reason(delivery.reason).label)
        return _state_in_words(delivery)

    @property
    def mark(self) -> Mark | None:
        return mark_of(self.delivery) if self.delivery is not None else None

    @property
    def decided(self) -> str:
        """What a person decided about a message that may not have arrived, or that went in part."""
        delivery = self.delivery
        if delivery is None or not delivery.decision:
            return ""
        words = {
            (DeliveryState.UNKNOWN, Decision.ARRIVED): _("отмечено дошедшим"),
            (DeliveryState.UNKNOWN, Decision.RESENT): _("могло не дойти, повтор ниже"),
            (DeliveryState.FAILED, Decision.RESENT): _("ушло не всё, остальное ниже"),
            (DeliveryState.FAILED, Decision.LEFT): _("ушло не всё, остальное не отправлено"),
        }
        return words.get((DeliveryState(delivery.state), Decision(delivery.decision)), "")

    @property
    def can_be_changed(self) -> bool:
        """Whether this person may still edit or withdraw these words."""
        return self.may_decide and self.delivery is not None and self.delivery.can_be_changed

    @property
    def can_be_altered(self) -> bool:
        """Whether this person may change these words where Telegram has them already."""
        has_arrived = self.message.sender == Sender.MANAGER and self.delivery is not None
        if not (self.may_decide and has_arrived) or self.message.deleted_at is not None:
            return False
        pending = self.message.pending
        is_going = pending is not None and pending.kind == AlterationKind.DELETE
        return not is_going and self.delivery is not None and self.delivery.state == DeliveryState.SENT

    @property
    def can_be_deleted(self) -> bool:
        return self.can_be_altered and self.delivery is not None and is_deletable(self.delivery)

    @property
    def can_be_edited(self) -> bool:
        return self.can_be_changed or self.can_be_altered

    @property
    def shows_edit_form(self) -> bool:
        """Words that came too late stand in their field too: it is the only place they are in."""
        return self.editing and (self.can_be_edited or self.retyped is not None)

    @property
    def can_be_reacted_to(self) -> bool:
        """Whether this person may put a reaction under it: what came from elsewhere is not in the customer's chat."""
        message = self.message
        is_theirs = message.sender == Sender.CLIENT and message.author is None and message.service_account is None
        return self.may_decide and is_theirs

    @cached_property
    def reactions(self) -> list[Chip]:
        """What stands under the message, or under any of an album's."""
        return [chip for message in self.messages for chip in (*self._theirs(message), *_ours(message))]

    def _theirs(self, message: Message) -> Iterable[Chip]:
        for reaction in message.reactions.split():
            text = str(NAMED_REACTIONS.get(reaction, reaction))
            yield Chip(text, _("Реакция: %(name)s") % {"name": self.customer_name})

    @property
    def words_to_edit(self) -> str:
        """What stands in the field that changes them: where a change did not come about, the words it was to bring."""
        if self.retyped is not None:
            return self.retyped
        alteration = self.alteration
        if alteration is not None and alteration.needs_look and alteration.kind == AlterationKind.EDIT:
            return marks_of(alteration.text, alteration.entities)
        return marks_of(self.message.text, self.message.entities)

    @property
    def resent(self) -> bool:
        """Whether this message repeats one whose fate Telegram did not tell."""
        return self.message.resend_of_id is not None

    @cached_property
    def quote(self) -> Quote | None:
        quoted = self.message.quote
        if quoted is None:
            return Quote(self.message.quote_text) if self.message.quote_text else None
        return Quote(self.message.quote_text or quoted.preview, self._name_of(quoted), quoted.pk)

    def _name_of(self, message: Message) -> str:
        match message.sender:
            case Sender.CLIENT:
                return self.customer_name
            case Sender.SYSTEM:
                return _("Бот")
        if message.author_id == self.reader.pk:
            return _("Вы")
        return message.author.display_name if message.author is not None else ""


@dataclass(frozen=True)
class Former:
    """What a message said until somebody changed it."""

    until: datetime
    html: SafeString


def former_words(message: Message) -> list[Former]:
    """Everything a message, or any of its album's, has said before, the oldest first."""
    together = Q(pk=message.pk)
    if message.media_group_id:
        together = Q(ticket=message.ticket_id, sender=message.sender, media_group_id=message.media_group_id)
    revisions = MessageRevision.objects.filter(message__in=Message.objects.filter(together))
    return [
        Former(revision.replaced_at, render_text(revision.text, revision.entities))
        for revision in revisions.order_by("replaced_at", "pk")
    ]


def _ours(message: Message) -> Iterable[Chip]:
    standing, alteration = wanted_reaction(message), message.alteration
    if alteration is None or alteration.kind != AlterationKind.REACTION:
        return
    if standing:
        label = _("Реакция ставится у клиента…") if alteration.is_pending else _("Наша реакция")
        yield Chip(standing, label, "pending" if alteration.is_pending else "", is_ours=True)
    if alteration.state == AlterationState.FAILED:
        why = Obstacle(alteration.obstacle or Obstacle.REFUSED).label
        failed = alteration.text or alteration.former_text
        label = _("Реакция не поставлена: %(why)s") if alteration.text else _("Реакция не снята: %(why)s")
        yield Chip(failed, label % {"why": why}, "failed", is_ours=True)


def mark_of(delivery: Delivery) -> Mark | None:
    """One tick, and only with Telegram's word for it; a clock while the message waits."""
    label = _state_in_words(delivery)
    match delivery.state:
        case DeliveryState.SENT:
            return Mark("i-tick", label)
        case DeliveryState.QUEUED | DeliveryState.SENDING | DeliveryState.HELD:
            return Mark("i-clock", label, pending=True)
        case DeliveryState.CANCELLED:
            return Mark("i-x", label, pending=True)
        case DeliveryState.UNKNOWN if delivery.decision:
            return None  # a person's decision is said in words: a tick is Telegram's alone
    return Mark("i-alert", label, pending=True)


def _state_in_words(delivery: Delivery) -> str:
    """Of one that came from a backup nobody can say that Telegram was silent."""
    if delivery.state == DeliveryState.UNKNOWN and delivery.reason == Reason.RESTORED:
        return str(Reason.RESTORED.label)
    return str(DeliveryState(delivery.state).label)


def _kind_of(message: Message) -> str:
    """The kind in words; of a live location until when it moves, and when it last did."""
    if message.live_until is None:
        return message.content_label
    placed_at = message.placed_at or message.sent_at
    told = {"at": clock(placed_at), "until": clock(message.live_until)}
    if message.live_until - placed_at > LIVE_AT_MOST:
        return _("Живая геопозиция, точка на %(at)s") % told
    return _("Живая геопозиция до %(until)s, точка на %(at)s") % told
