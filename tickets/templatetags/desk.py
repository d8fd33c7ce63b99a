"""The words and marks of the desk's templates."""

from datetime import datetime
from functools import cache

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tickets.pages import wording

register = template.Library()

register.filter("clock", wording.clock)
register.filter("initials", wording.initials)
register.filter("hue", wording.hue)
register.filter("file_size", wording.file_size)
register.filter("track_length", wording.track_length)


@register.filter
def pressed_if(value: str, chosen: str) -> str:
    """The state of a toggle among several."""
    return "true" if value == chosen else "false"


@register.filter
def iso(moment: datetime) -> str:
    """A moment for a machine: datetime and data-since attributes."""
    return moment.isoformat(timespec="seconds")


@cache
def sprite() -> str:
    """The address of the icons, the same for every icon of every page."""
    return static("icons/sprite.svg")


@register.simple_tag
def icons_address() -> str:
    """Where the script finds the icons it draws."""
    return sprite()


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """One icon of the sprite, silent to screen readers: the control's own text names it."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {classes}" if classes else "",
        sprite(),
        name,
    )


@register.simple_tag
def mark(name: str, label: str, classes: str = "") -> SafeString:
    """An icon that carries a meaning of its own and says it to screen readers."""
    return format_html(
        '<svg class="icon{}" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
        f" {classes}" if classes else "",
        label,
        sprite(),
        name,
    )


@register.simple_tag
def act(name: str, *ids: int) -> SafeString:
    """The address a button submits the shared form of acts to, with a script and without; one act at a time."""
    address = reverse(f"tickets:{name}", args=ids)
    return format_html('formaction="{}" hx-post="{}" hx-sync="#acts:drop"', address, address)


@register.simple_tag
def phrases() -> SafeString:
    """The phrases the page's script repeats while time passes, as data attributes."""
    return format_html_join(" ", 'data-{}="{}"', wording.phrases().items())
