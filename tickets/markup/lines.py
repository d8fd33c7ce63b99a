"""A conversation's lines as HTML: bubbles, notes, the bot's sentences, history, days."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from tickets.markup.pieces import avatar, clock, icon, mark
from tickets.models import DeliveryState, Ticket
from tickets.pages.conversation import Bubble, Day, Fresh, HistoryLine, Line

#: Renders a template with these values beside the page's own.
Part = Callable[..., SafeString]

MESSAGE = (
    '<li class="msg{out}{first}{cancelled}" id="m{pk}" data-message="{last_id}"{album}{state}>'
    "{anchors}{avatar}{body}{failure}</li>\n"
)
STACK = (
    '<div class="stack"><div class="bubble{media}">{by}{quote}{files}{kind}{words}</div>'
    '<span class="msg-acts"><a class="icon-btn" href="{address}?quote={pk}#reply" data-quote="{pk}"'
    ' aria-label="{answer}" title="{answer}">{reply_icon}</a>{change}</span></div>'
)
DAY = '<li class="day" data-day="{day}"><time datetime="{day}">{heading}</time></li>\n'
NOTE = (
    '<li class="note" id="m{}" data-message="{}"><header>{}<b>{}</b><span class="aud">{}</span>{}</header>{}{}</li>\n'
)
SAID = (
    '<li class="said" id="m{}" data-message="{}"><b>{}:</b> <span class="words">{}</span>'
    '<span class="meta">{}{}</span></li>\n'
)


@dataclass
class Lines:
    """Draws the lines of one ticket's conversation; what few of them need, `part` renders from its template."""

    ticket: Ticket
    part: Part

    def draw(self, lines: Iterable[Line]) -> SafeString:
        return mark_safe("".join(self._line(line) for line in lines))  # noqa: S308  # joined SafeStrings

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
            case Day():
                return format_html(DAY, day=line.day, heading=line.heading)
            case Fresh():
                return format_html('<li class="fresh">{}</li>\n', _("Новые сообщения"))

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
        is_being_edited = line.editing and line.can_be_changed
        return format_html(
            MESSAGE,
            out=" out" if line.is_out else "",
            first=" first" if line.first else "",
            cancelled=" cancelled" if line.is_cancelled else "",
            pk=line.message.pk,
            last_id=line.last_id,
            album=format_html(' data-album="{}"', group) if group else "",
            state=format_html(' data-state="{}"', state) if state else "",
            anchors=format_html_join("", '<span class="anchor" id="m{}"></span>', ((pk,) for pk in line.other_ids)),
            avatar="" if line.is_out else self._avatar,
            body=self.part("tickets/_edit.html", line=line) if is_being_edited else self._stack(line),
            failure=self.part("tickets/_failure.html", line=line) if state else "",
        )

    def _stack(self, line: Bubble) -> SafeString:
        return format_html(
            STACK,
            media=" media" if line.pictures else "",
            by=format_html('<p class="by">{}</p>', line.by) if line.by else "",
            quote=_quote(line),
            files=self._files(line),
            kind=format_html('<p class="kind">{}{}</p>', icon(line.icon), line.named_kind) if line.named_kind else "",
            words="" if line.ends_with_file else _words(line),
            address=self._address,
            pk=line.message.pk,
            answer=self._answer,
            reply_icon=icon("i-reply"),
            change=self._change(line) if line.can_be_changed and not line.state else "",
        )

    def _change(self, line: Bubble) -> SafeString:
        return self.part("tickets/_change.html", line=line, compact=True)

    def _files(self, line: Bubble) -> SafeString | str:
        return self.part("tickets/_files.html", line=line) if line.files else ""

    def _note(self, line: Bubble) -> SafeString:
        message = line.message
        return format_html(
            NOTE,
            message.pk,
            line.last_id,
            icon("i-lock"),
            message.author.display_name if message.author else "",
            _("видит только команда"),
            clock(message.sent_at),
            self._files(line),
            format_html('<div class="words">{}</div>', line.html) if line.html else "",
        )

    def _history(self, line: HistoryLine) -> SafeString:
        return format_html(
            '<li class="event" id="e{}" data-event="{}"><span>{}{}{}</span>{}</li>\n',
            line.event.pk,
            line.event.pk,
            self._happened(line),
            format_html(" <b>{}</b>", line.subject) if line.subject else "",
            f" · {line.actor}" if line.actor else "",
            clock(line.event.created_at),
        )

    def _happened(self, line: HistoryLine) -> str:
        """What happened; where a message was changed, a way to it."""
        changed = line.message_id
        if not changed:
            return line.text
        link = '<a href="{}?before={}#m{}" data-read>{}</a>'
        return format_html(link, self._address, changed + 1, changed, line.text)


def meta(line: Bubble) -> SafeString:
    """What stands at a bubble's foot: what happened to its words, when they were written, and how far they came."""
    message = line.message
    return format_html(
        '<span class="meta">{}{}{}{}{}</span>',
        _edited(line) if message.edited_at else "",
        format_html("<span>{}</span>", line.decided) if line.decided else "",
        format_html("<span>{}</span>", _("отправлено ещё раз")) if line.resent else "",
        clock(message.sent_at),
        "" if line.state in (DeliveryState.UNKNOWN, DeliveryState.FAILED) else _mark(line),
    )


def _edited(line: Bubble) -> SafeString:
    before = format_html(' title="{}"', _("Было: %(text)s") % {"text": line.edited}) if line.edited else ""
    return format_html("<span{}>{}</span>", before, _("изменено"))


def _mark(line: Bubble) -> SafeString | str:
    found = line.mark
    return mark(found.icon, found.label, "pending" if found.pending else "") if found else ""


def _words(line: Bubble) -> SafeString:
    more = format_html_join("", "\n{}", ((html,) for html in line.more_html))
    return format_html(
        '<div class="words{}">{}{}{}</div>', "" if line.html else " only-meta", line.html, more, meta(line)
    )


def _quote(line: Bubble) -> SafeString | str:
    quote = line.quote
    if quote is None:
        return ""
    if quote.message_id is None:
        return format_html('<div class="quote"><b>{}</b><span>{}</span></div>', _("Ответ на сообщение"), quote.text)
    link = '<a class="quote" href="#m{}"><b>{}</b><span>{}</span></a>'
    return format_html(link, quote.message_id, quote.name, quote.text)


def _said(line: Bubble) -> SafeString:
    message = line.message
    found = line.mark
    sign = mark(found.icon, found.label) if found else ""
    return format_html(SAID, message.pk, line.last_id, line.by, line.html, clock(message.sent_at), sign)
