"""The small marks every part of the desk is made of."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from html import escape

from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tickets.pages import wording

#: What stands where there is nothing.
NOTHING = SafeString("")
#: What needs no escaping. Of these types alone: what a subclass of theirs turns into nobody knows.
SAFE = (SafeString, int)


def fill(frame: str, **values: object) -> SafeString:
    """`frame` with every value escaped in its place unless it is safe: `format_html` in half its time."""
    escaped = {name: value if type(value) in SAFE else escape(str(value)) for name, value in values.items()}
    return SafeString(frame.format_map(escaped))


def joined(pieces: Iterable[SafeString]) -> SafeString:
    return SafeString("".join(pieces))


@cache
def sprite() -> str:
    """The address of the icons, the same for every icon of every page."""
    return static("icons/sprite.svg")


@cache
def icon(name: str, classes: str = "") -> SafeString:
    """One icon of the sprite, silent to screen readers: the control's own text names it."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {classes}" if classes else "",
        sprite(),
        name,
    )


def mark(name: str, label: str, classes: str = "") -> SafeString:
    """An icon that carries a meaning of its own and says it to screen readers."""
    return fill(
        '<svg class="icon{classes}" role="img" aria-label="{label}"><use href="{sprite}#{name}"/></svg>',
        classes=f" {classes}" if classes else "",
        label=label,
        sprite=sprite(),
        name=name,
    )


def act(name: str, *ids: int) -> SafeString:
    """The address a button submits the shared form of acts to, with a script and without; one act at a time."""
    address = reverse(f"tickets:{name}", args=ids)
    return format_html('formaction="{}" hx-post="{}" hx-sync="#acts:drop"', address, address)


def avatar(key: int, name: str, size: str = "") -> SafeString:
    """A person's initials on their colour. Silent to screen readers: the name stands beside it."""
    return fill(
        '<span class="avatar a{hue}{size}" aria-hidden="true">{initials}</span>',
        hue=wording.hue(key),
        size=f" {size}" if size else "",
        initials=wording.initials(name),
    )


def iso(moment: datetime) -> str:
    """A moment for a machine: datetime and data-since attributes."""
    return moment.isoformat(timespec="seconds")


def clock(moment: datetime) -> SafeString:
    """The time of day, and the whole moment for machines."""
    return fill('<time datetime="{iso}">{clock}</time>', iso=iso(moment), clock=wording.clock(moment))
