"""The small marks every part of the desk is made of."""

from datetime import datetime
from functools import cache

from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tickets.pages import wording


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
    return format_html(
        '<svg class="icon{}" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
        f" {classes}" if classes else "",
        label,
        sprite(),
        name,
    )


def act(name: str, *ids: int) -> SafeString:
    """The address a button submits the shared form of acts to, with a script and without; one act at a time."""
    address = reverse(f"tickets:{name}", args=ids)
    return format_html('formaction="{}" hx-post="{}" hx-sync="#acts:drop"', address, address)


def avatar(key: int, name: str, size: str = "") -> SafeString:
    """A person's initials on their colour. Silent to screen readers: the name stands beside it."""
    return format_html(
        '<span class="avatar a{}{}" aria-hidden="true">{}</span>',
        wording.hue(key),
        f" {size}" if size else "",
        wording.initials(name),
    )


def iso(moment: datetime) -> str:
    """A moment for a machine: datetime and data-since attributes."""
    return moment.isoformat(timespec="seconds")


def clock(moment: datetime) -> SafeString:
    """The time of day, and the whole moment for machines."""
    return format_html('<time datetime="{}">{}</time>', iso(moment), wording.clock(moment))
