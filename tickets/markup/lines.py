"""A conversation's lines as HTML: bubbles, notes, the bot's sentences, history, days."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tickets.markup.pieces import NOTHING, avatar, clock, fill, icon, joined, mark
from tickets.models import DeliveryState, Message, Ticket
from tickets.pages.bubbles import PLACES, UNALTERED, Bubble
from tickets.pages.history import HistoryLine
from tickets.pages.lines import Day, Fresh, Line, Series

#: Renders a template with these values beside the page's own.
Part = Callable[..., SafeString]

MESSAGE = (
    '<li class="msg{out}{first}{cancelled}{deleted}" id="m{pk}" data-message="{last_id}"{album}{state}>'
    "{anchors}{avatar}{body}{failure}</li>\n"
)
ANCHOR = '<span class="anchor" id="m{pk}"></span>'
STACK = (
    '<div class="stack"><div class="bubble{media}">{by}{origin}{quote}{files}{kind}{cards}{words}{reactions}</div>'
    '<span class="msg-acts"><a class="icon-btn" href="{address}?quote={pk}#reply" data-quote="{pk}"'
    ' aria-label="{answer}" title="{answer}">{reply_icon}</a>{change}</span></div>'
)
EDIT = (
    '<a class="icon-btn" href="{address}?edit={pk}#m{pk}" hx-get="{address}message/{pk}/?edit" hx-target="#m{pk}"'
    ' hx-swap="outerHTML" aria-label="{label}" title="{label}">{icon}</a>'
)
CHIP = '<span class="reaction{state}" role="img" aria-label="{text}. {label}" title="{label}">{text}{icon}</span>'
CHOICE = (
    '<a class="icon-btn" href="{address}message/{pk}/{choice}/" data-opens="choice" aria-label="{label}"'
    ' title="{label}">{icon}</a>'
)
QUOTE = '<a class="quote" href="#m{pk}"><b>{name}</b><span>{text}</span></a>'
LOST_QUOTE = '<div class="quote"><b>{label}</b><span>{text}</span></div>'
META = '<span class="meta">{altered}{edited}{decided}{resent}{clock}{mark}</span>'
NOTE = (
    '<li class="note" id="m{pk}" data-message="{last_id}"><header>{icon}<b>{author}</b>'
    '<span class="aud">{audience}</span>{clock}</header>{files}{words}</li>\n'
)
SAID = (
    '<li class="said" id="m{pk}" data-message="{last_id}"><b>{by}:</b> <span class="words">{html}</span>'
    '<span class="meta">{clock}{mark}</span></li>\n'
)
EVENT = '<li class="event" id="e{pk}" data-event="{pk}"><span>{text}{subject}{actor}</span>{clock}</li>\n'
CHANGED = '<a href="{address}?before={after}#m{pk}" data-read>{text}</a>'
FORMER = '<a href="{address}" data-opens="choice"{before}>{label}</a>'
MAP_LINK = '<a class="place" href="{address}" target="_blank" rel="noopener noreferrer">{label}</a>'
DAY = '<li class="day" data-day="{day}" data-plain="{plain}"><time datetime="{day}">{heading}</time></li>\n'
FRESH = '<li class="fresh">{label}</li>\n'
SERIES = (
    '<li class="series" id="s{first}" data-first="{first}" data-last="{last}"><details hx-get="{part}"'
    ' hx-trigger="toggle once" hx-target="#s{first}-{last}" hx-swap="innerHTML"><summary class="btn quiet sm">'
    '{icon}<span>{label}</span><span>{fold}</span></summary><ol id="s{first}-{last}"><li class="older">{anchors}'
    '<a class="btn quiet sm" href="{page}">{show}</a></li></ol></details></li>\n'
)


@dataclass
class Lines:
    """Draws the lines of one ticket's conversation; what few of them need, `part` renders from its template."""

    ticket: Ticket
    part: Part

    def draw(self, lines: Iterable[Line]) -> SafeString:
        return joined(map(self._line, lines))

    def _line(self, line: Line) -> SafeString:
        match line:
            case Bubble(kind="note"):
                return self._note(line)
            case Bubble(kind="said"):
                return _said(line)
            case Bubble():
                return self._message(line)
            case HistoryLine():
                return self._history(line)
            case Day() | Fresh():
                return _heading(line)
            case Series():
                return self._series(line)

    @cached_property
    def _address(self) -> str:
        return reverse("tickets:ticket", args=[self.ticket.pk])

    @cached_property
    def _avatar(self) -> SafeString:
        return avatar(self.ticket.customer_id, self.ticket.customer.display_name, "sm")

    @cached_property
    def _answer(self) -> str:
        return _("Ответить на это сообщение")

    def _message(self, line: Bubble) -> SafeString:
        group, state = line.message.media_group_id, line.state
        return fill(
            MESSAGE,
            out=" out" if line.is_out else NOTHING,
            first=" first" if line.first else NOTHING,
            cancelled=" cancelled" if line.is_cancelled else NOTHING,
            deleted=" deleted" if line.message.deleted_at else NOTHING,
            pk=line.message.pk,
            last_id=line.last_id,
            album=fill(' data-album="{group}"', group=group) if group else NOTHING,
            state=fill(' data-state="{state}"', state=state) if state else NOTHING,
            anchors=joined(fill(ANCHOR, pk=pk) for pk in line.other_ids),
            avatar=NOTHING if line.is_out else self._avatar,
            body=self._edit_form(line) if line.shows_edit_form else self._stack(line),
            failure=self._failure(line, state) if state else NOTHING,
        )

    def _stack(self, line: Bubble) -> SafeString:
        return fill(
            STACK,
            media=" media" if line.pictures else NOTHING,
            by=fill('<p class="by">{by}</p>', by=line.by) if line.by else NOTHING,
            origin=_origin(line) if line.message.forwarded_from else NOTHING,
            quote=_quote(line),
            files=self._files(line),
            kind=_kind(line) if line.named_kind else NOTHING,
            cards=self._hidden_cards(line) if line.with_cards else NOTHING,
            words=NOTHING if line.ends_with_file else _words(line),
            reactions=_reactions(line) if line.reactions else NOTHING,
            address=self._address,
            pk=line.message.pk,
            answer=self._answer,
            reply_icon=icon("i-reply"),
            change=self._change(line),
        )

    def _failure(self, line: Bubble, state: str) -> SafeString:
        return self.part("tickets/_unaltered.html" if state == UNALTERED else "tickets/_failure.html", line=line)

    def _edit_form(self, line: Bubble) -> SafeString:
        return self.part("tickets/_edit.html", line=line)

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {"edit": _("Изменить"), "deleting": _("Удалить у клиента"), "reactions": _("Поставить реакцию")}

    def _change(self, line: Bubble) -> SafeString:
        """What may be done with these words: before they have left, or where Telegram has them."""
        if line.can_be_changed and not line.state:
            return self.part("tickets/_change.html", line=line, compact=True)
        pk, labels = line.message.pk, self._labels
        if line.can_be_reacted_to:
            return self._choice(pk, "reactions", "i-smile")
        if not line.can_be_altered:
            return NOTHING
        edit = fill(EDIT, address=self._address, pk=pk, label=labels["edit"], icon=icon("i-pencil"))
        return joined([edit, self._choice(pk, "deleting", "i-trash")]) if line.can_be_deleted else edit

    def _choice(self, pk: int, choice: str, name: str) -> SafeString:
        return fill(CHOICE, address=self._address, pk=pk, choice=choice, label=self._labels[choice], icon=icon(name))

    def _files(self, line: Bubble) -> SafeString:
        return self.part("tickets/_files.html", line=line) if line.files else NOTHING

    def _hidden_cards(self, line: Bubble) -> SafeString:
        return self.part("tickets/_hidden_cards.html", messages=line.with_cards)

    def _note(self, line: Bubble) -> SafeString:
        message = line.message
        return fill(
            NOTE,
            pk=message.pk,
            last_id=line.last_id,
            icon=icon("i-lock"),
            author=message.author.display_name if message.author else NOTHING,
            audience=_("видит только команда"),
            clock=clock(message.sent_at),
            files=self._files(line),
            words=fill('<div class="words">{html}</div>', html=line.html) if line.html else NOTHING,
        )

    def _history(self, line: HistoryLine) -> SafeString:
        return fill(
            EVENT,
            pk=line.event.pk,
            text=self._happened(line),
            subject=fill(" <b>{subject}</b>", subject=line.subject) if line.subject else NOTHING,
            actor=f" · {line.actor}" if line.actor else NOTHING,
            clock=clock(line.event.created_at),
        )

    def _series(self, line: Series) -> SafeString:
        """Opened by its button, by a link to one of its photos or by a search in the page; fetched only then."""
        first, last = line.first_id, line.last_id
        return fill(
            SERIES,
            first=first,
            last=last,
            part=f"{self._address}messages/?first={first}&last={last}",
            page=f"{self._address}?before={last + 1}&unfolded=1",
            icon=icon("i-image"),
            label=line.label,
            fold=_("Свернуть"),
            anchors=joined(fill(ANCHOR, pk=pk) for pk in line.ids),
            show=_("Показать эти фото"),
        )

    def _happened(self, line: HistoryLine) -> str:
        """What happened; where a message was changed, a way to it."""
        changed = line.message_id
        if not changed:
            return line.text
        return fill(CHANGED, address=self._address, after=changed + 1, pk=changed, text=line.text)


def _heading(line: Day | Fresh) -> SafeString:
    if isinstance(line, Fresh):
        return fill(FRESH, label=_("Новые сообщения"))
    return fill(DAY, day=line.day, plain=line.plain, heading=line.heading)


def meta(line: Bubble) -> SafeString:
    """What stands at a bubble's foot: what happened to its words, when they were written, and how far they came."""
    message = line.message
    is_gone = message.deleted_at is not None  # a tick would say that the customer has it
    return fill(
        META,
        altered=_altered(line),
        edited=_edited(line.edited) if line.edited else NOTHING,
        decided=fill("<span>{decided}</span>", decided=line.decided) if line.decided else NOTHING,
        resent=fill("<span>{label}</span>", label=_("отправлено ещё раз")) if line.resent else NOTHING,
        clock=clock(message.sent_at),
        mark=NOTHING if line.state in (DeliveryState.UNKNOWN, DeliveryState.FAILED) or is_gone else _mark(line),
    )


def _altered(line: Bubble) -> SafeString:
    """How far a change has come at the customer's, with what they see until then."""
    if line.message.deleted_at:
        return fill("<b>{label}</b>", label=_("удалено у клиента"))
    altering = line.altering
    if not altering or line.alteration is None:
        return NOTHING
    sees = _("Пока клиент видит: %(text)s") % {"text": line.alteration.former_text}
    return fill('<span class="altering" title="{sees}">{label}</span>', sees=sees, label=altering)


def _edited(message: Message) -> SafeString:
    former = getattr(message, "former_text", None)
    label = _("изменено после ответа") if message.edited_after_answer else _("изменено")
    if former is None:
        return fill("<span>{label}</span>", label=label)
    before = fill(' title="{before}"', before=_("Было: %(text)s") % {"text": former}) if former else NOTHING
    address = reverse("tickets:former", args=[message.ticket_id, message.pk])
    return fill(FORMER, address=address, before=before, label=label)


def _mark(line: Bubble) -> SafeString:
    found = line.mark
    return mark(found.icon, found.label, "pending" if found.pending else "") if found else NOTHING


def _reactions(line: Bubble) -> SafeString:
    chips = (
        fill(
            CHIP,
            state=f"{' ours' if chip.is_ours else ''}{f' {chip.state}' if chip.state else ''}",
            text=chip.text,
            label=chip.label,
            icon=icon("i-alert") if chip.state == "failed" else NOTHING,
        )
        for chip in line.reactions
    )
    return fill('<div class="reactions">{chips}</div>', chips=joined(chips))


def _origin(line: Bubble) -> SafeString:
    return fill('<p class="by">{label}</p>', label=_("Переслано от: %(name)s") % {"name": line.message.forwarded_from})


def _kind(line: Bubble) -> SafeString:
    return fill('<p class="kind">{icon}{kind}</p>', icon=icon(line.icon), kind=line.named_kind)


def _words(line: Bubble) -> SafeString:
    return fill(
        '<div class="words{bare}">{html}{more}{map}{meta}</div>',
        map=_map(line.map_url) if line.message.content_type in PLACES else NOTHING,
        bare=NOTHING if line.html else " only-meta",
        html=line.html,
        more=joined(fill("\n{html}", html=html) for html in line.more_html),
        meta=meta(line),
    )


def _map(address: str) -> SafeString:
    if not address:
        return NOTHING
    return fill(MAP_LINK, address=address, label=_("Открыть на карте"))


def _quote(line: Bubble) -> SafeString:
    quote = line.quote
    if quote is None:
        return NOTHING
    if quote.message_id is None:
        return fill(LOST_QUOTE, label=_("Ответ на сообщение"), text=quote.text)
    return fill(QUOTE, pk=quote.message_id, name=quote.name, text=quote.text)


def _said(line: Bubble) -> SafeString:
    message, found = line.message, line.mark
    return fill(
        SAID,
        pk=message.pk,
        last_id=line.last_id,
        by=line.by,
        html=line.html,
        clock=clock(message.sent_at),
        mark=mark(found.icon, found.label) if found else NOTHING,
    )
