"""The queue's rows as HTML."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tickets.markup.pieces import NOTHING, avatar, fill, icon, iso, joined
from tickets.models import View
from tickets.pages.queue import Row

ROW = (
    '<li class="row" id="row-{pk}" data-version="{version}"{unread}>'
    '<a href="{address}" hx-get="{address}" hx-target="#ticket" hx-sync="#ticket:replace" hx-push-url="true"{current}>'
    '{avatar}<span class="body"><span class="l1"><span class="name">{name}</span>{time}</span>'
    '<span class="l2"><span class="text">{words}</span>{count}</span>'
    '<span class="l3">{solved}{urgency}<span class="topic">{topic}</span>{trouble}</span></span></a></li>'
)

WHEN = '<time class="wait" datetime="{at}">{when}</time>'
WAITING = '<time class="wait" datetime="{since}" data-since="{since}">{waiting}</time>'
CURRENT = SafeString(' aria-current="true"')
APART = SafeString('<span class="sep"></span>')


def draw_rows(rows: Iterable[Row], view: View) -> SafeString:
    """The rows as they stand in `view`, one after another."""
    # The address is looked up once and the ids put in: looking it up would be a fifth of a row.
    address = f"{reverse('tickets:ticket', args=[0])}?view={view}".replace("/0/", "/{}/")
    return joined(_row(row, address.format(row.ticket.pk)) for row in rows)


def _row(row: Row, address: str) -> SafeString:
    ticket = row.ticket
    name = ticket.customer.display_name
    return fill(
        ROW,
        pk=ticket.pk,
        version=ticket.version,
        unread=" data-unread" if row.unread else NOTHING,
        address=address,
        current=CURRENT if row.is_current else NOTHING,
        avatar=avatar(ticket.customer_id, name),
        name=name,
        time=_time(row),
        words=_words(row),
        count=_count(row) if row.unread else NOTHING,
        solved=NOTHING if ticket.is_active else _solved(row),
        urgency=_urgency(row) if row.is_urgent else NOTHING,
        topic=_topic(row),
        trouble=_trouble(row),
    )


def _time(row: Row) -> SafeString:
    if row.ticket.waiting_since is None:
        return fill(WHEN, at=iso(row.ticket.last_message_at), when=row.when)
    return fill(WAITING, since=iso(row.ticket.waiting_since), waiting=row.waiting)


def _words(row: Row) -> SafeString:
    """The person's own draft, or whose words come last and what they are."""
    if row.draft:
        return fill('<span class="draft">{label}</span> {draft}', label=_("Черновик:"), draft=row.draft)
    return fill(
        "{prefix}{icon}{words}",
        prefix=fill("<em>{prefix}</em> ", prefix=row.prefix) if row.prefix else NOTHING,
        icon=icon(row.icon) if row.icon else NOTHING,
        words=row.ticket.last_preview,
    )


def _count(row: Row) -> SafeString:
    return fill('<span class="count" role="img" aria-label="{label}">{n}</span>', label=row.unread_label, n=row.unread)


def _solved(row: Row) -> SafeString:
    return _sign("solved", "s-done", row.ticket.get_status_display()) + APART


def _urgency(row: Row) -> SafeString:
    return _sign("hot", "i-flag", row.ticket.get_priority_display()) + (APART if row.ticket.topic else NOTHING)


def _topic(row: Row) -> str:
    """What the question is about; failing that its number, unless it is urgent."""
    if row.ticket.topic is not None:
        return row.ticket.topic.label()
    return "" if row.is_urgent else f"№{row.ticket.pk}"


def _trouble(row: Row) -> SafeString:
    """What became of a reply that did not simply arrive; failing that, whether the customer calls nobody."""
    if row.is_failed:
        return _sign("failed", "i-alert", row.trouble)
    if row.trouble:
        return _sign("unsure", "i-clock" if row.is_held else "i-alert", row.trouble)
    return _sign("unsure", "i-snooze", _("Заглушён")) if row.ticket.customer.is_muted else NOTHING


def _sign(tone: str, name: str, label: str) -> SafeString:
    return fill('<span class="{tone}">{icon}{label}</span>', tone=tone, icon=icon(name), label=label)
