"""The words and marks of the desk's templates."""

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from django import template
from django.conf import settings
from django.template import Context, Template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from tickets.files import max_files_mb
from tickets.markup import lines, pieces, rows
from tickets.models import View
from tickets.pages import wording
from tickets.pages.lines import Line
from tickets.pages.queue import Row

register = template.Library()

register.filter("clock", wording.clock)
register.filter("initials", wording.initials)
register.filter("hue", wording.hue)
register.filter("file_size", wording.file_size)
register.filter("track_length", wording.track_length)
register.filter("card_number", wording.card_number)
register.filter("iso", pieces.iso)

register.simple_tag(pieces.icon, name="icon")
register.simple_tag(pieces.mark, name="mark")
register.simple_tag(pieces.act, name="act")
register.simple_tag(pieces.avatar, name="avatar")
register.simple_tag(lines.meta, name="meta")


@register.filter
def pressed_if(value: str, chosen: str) -> str:
    """The state of a toggle among several."""
    return "true" if value == chosen else "false"


@register.simple_tag
def icons_address() -> str:
    """Where the script finds the icons it draws."""
    return pieces.sprite()


@register.simple_tag
def max_upload_mb() -> int:
    """Megabytes of the largest file a customer can be sent."""
    return int(settings.TELEGRAM_UPLOAD_MB)


register.simple_tag(max_files_mb)


@register.simple_tag
def phrases() -> SafeString:
    """The phrases the page's script repeats while time passes, as data attributes."""
    return format_html_join(" ", 'data-{}="{}"', wording.phrases().items())


@register.simple_tag
def queue_rows(found: Iterable[Row], view: View) -> SafeString:
    """Rows of the queue."""
    return rows.draw_rows(found, view)


@register.simple_tag
def queue_row(row: Row, view: View) -> SafeString:
    return rows.draw_rows([row], view)


@register.simple_tag(takes_context=True)
def conversation_lines(context: Context, found: Iterable[Line]) -> SafeString:
    """Lines of the conversation of the page's ticket."""
    return lines.Lines(context["page"].ticket, partial(_part, context)).draw(found)


@register.simple_tag(takes_context=True)
def conversation_line(context: Context, line: Line) -> SafeString:
    return conversation_lines(context, [line])


def _part(context: Context, name: str, **values: Any) -> SafeString:
    """The template `name`, as an include would render it."""
    with context.push(**values):
        return _template(context, name).render(context)


@register.simple_tag(takes_context=True)
def fixed(context: Context, name: str) -> SafeString:
    """A part that follows the language alone, rendered once for each."""
    return _fixed(_template(context, name), get_language())


@lru_cache(maxsize=64)
def _fixed(part: Template, _language: str | None) -> SafeString:
    """Rendered without the page's context, so that nothing of one page can be kept for another."""
    return part.render(Context())


def _template(context: Context, name: str) -> Template:
    if context.template is None:
        raise RuntimeError("These tags stand in templates alone.")
    return context.template.engine.get_template(name)
