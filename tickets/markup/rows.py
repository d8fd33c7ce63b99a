"""The queue's rows as HTML."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from tickets.markup.pieces import avatar, icon, iso
from tickets.models import View
from tickets.pages.queue import Row

ROW = (
    '<li class="row" id="row-{pk}" data-version="{version}"{unread}>'
    '<a href="{address}" hx-get="{address}" hx-target="#ticket" hx-push-url="true"{current}>{avatar}'
    '<span class="body"><span class="l1"><span class="name">{name}</span>{time}</span>'
    '<span class="l2"><span class="text">{words}</span>{count}</span>'
    '<span class="l3">{solved}{urgency}<span class="topic">{topic}</span>{trouble}</span></span></a></li>'
)


def draw_rows(rows: Iterable[Row], view: View) -> SafeString:
    """The rows as they stand in `view`, one after another."""
    # The address is looked up once and the ids put in: the look-up would be a fifth of a row.
    address = f"{reverse('tickets:ticket', args=[0])}?view={view}".replace("/0/", "/{}/")
    return mark_safe("".join(_row(row, address.format(row.ticket.pk)) for row in rows))  # noqa: S308  # joined SafeStrings


def _row(row: Row, address: str) -> SafeString:
    ticket = row.ticket
    name = ticket.customer.display_name
    return format_html(
        ROW,
        pk=ticket.pk,
        version=ticket.version,
        unread=mark_safe(" data-unread") if row.unread else "",
        address=address,
        current=mark_safe(' aria-current="true"') if row.is_current else "",
        avatar=avatar(ticket.customer_id, name),
        name=name,
        time=_time(row),
        words=_words(row),
        count=_count(row) if row.unread else "",
        solved="" if ticket.is_active else _solved(row),
        urgency=_urgency(row) if row.is_urgent else "",
        topic=ticket.topic.label() if ticket.topic else "" if row.is_urgent else f"№{ticket.pk}",
        trouble=_trouble(row),
    )


def _time(row: Row) -> SafeString:
    if row.ticket.waiting_since is None:
        return format_html('<time class="wait" datetime="{}">{}</time>', iso(row.ticket.last_message_at), row.when)
    since = iso(row.ticket.waiting_since)
    return format_html('<time class="wait" datetime="{}" data-since="{}">{}</time>', since, since, row.waiting)


def _words(row: Row) -> SafeString:
    """The person's own draft, or whose words come last and what they are."""
    if row.draft:
        return format_html('<span class="draft">{}</span> {}', _("Черновик:"), row.draft)
    prefix = format_html("<em>{}</em> ", row.prefix) if row.prefix else ""
    return format_html("{}{}{}", prefix, icon(row.icon) if row.icon else "", row.ticket.last_preview)


def _count(row: Row) -> SafeString:
    return format_html('<span class="count" role="img" aria-label="{}">{}</span>', row.unread_label, row.unread)


def _solved(row: Row) -> SafeString:
    status = row.ticket.get_status_display()
    return format_html('<span class="solved">{}{}</span><span class="sep"></span>', icon("s-done"), status)


def _urgency(row: Row) -> SafeString:
    hot = format_html('<span class="hot">{}{}</span>', icon("i-flag"), row.ticket.get_priority_display())
    return format_html('{}<span class="sep"></span>', hot) if row.ticket.topic else hot


def _trouble(row: Row) -> SafeString | str:
    """What became of a reply that did not simply arrive; failing that, whether the customer calls nobody."""
    if row.is_failed:
        return format_html('<span class="failed">{}{}</span>', icon("i-alert"), row.trouble)
    if row.trouble:
        sign = icon("i-clock") if row.is_held else icon("i-alert")
        return format_html('<span class="unsure">{}{}</span>', sign, row.trouble)
    if row.ticket.customer.is_muted:
        return format_html('<span class="unsure">{}{}</span>', icon("i-snooze"), _("Заглушён"))
    return ""
