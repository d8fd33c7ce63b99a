"""What a message says that has neither text nor caption: a contact, a place, a poll, a die."""

import re
from collections.abc import Callable, Iterable

from aiogram import types

from botbridge.rich import words_of_rich_message
from tickets.models import ContentType

#: A number or a mail address in a vCard (RFC 6350), be it in a group and with a type, or as an address of its own.
IN_VCARD = re.compile(r"^(?:[\w-]+\.)?(?:TEL|EMAIL)(?:;[^:\r\n]*)?:(?:tel:)?([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


def content_in_words(message: types.Message, kind: str) -> str:
    """A line for each thing it names; empty where the kind alone says all."""
    in_words, content = IN_WORDS.get(kind), getattr(message, kind, None)
    return in_words(content) if in_words is not None and content is not None else ""


def _contact(contact: types.Contact) -> str:
    name = " ".join(filter(None, [contact.first_name, contact.last_name]))
    return "\n".join([name, contact.phone_number, *_others_of(contact)])


def _others_of(contact: types.Contact) -> list[str]:
    """The numbers and mail addresses its card holds besides the one number Telegram names."""
    found = dict.fromkeys(match[1].strip() for match in IN_VCARD.finditer(contact.vcard or ""))
    return [each for each in found if "@" in each or _digits(each) != _digits(contact.phone_number)]


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _location(location: types.Location) -> str:
    """Latitude and longitude in degrees, as maps take them in their search."""
    return f"{location.latitude}, {location.longitude}"


def _venue(venue: types.Venue) -> str:
    return "\n".join([venue.title, venue.address, _location(venue.location)])


def _poll(poll: types.Poll) -> str:
    """With the votes each line has, of a poll that was forwarded with some."""
    lines = [poll.question, *filter(None, [poll.description])]
    return _list("\n".join(lines), (_vote(option) for option in poll.options))


def _vote(option: types.PollOption) -> str:
    return f"{option.text} ({option.voter_count})" if option.voter_count else option.text


def _checklist(checklist: types.Checklist) -> str:
    return "\n".join([checklist.title, *map(_task, checklist.tasks)])


def _task(task: types.ChecklistTask) -> str:
    return f"{'✓' if task.completion_date else '–'} {task.text}"


def _list(title: str, items: Iterable[str]) -> str:
    return "\n".join([title, *(f"– {item}" for item in items)])


def _dice(dice: types.Dice) -> str:
    return f"{dice.emoji} {dice.value}"


def _sticker(sticker: types.Sticker) -> str:
    """The emoji of one whose picture cannot be shown."""
    return sticker.emoji or "" if sticker.is_animated and sticker.thumbnail is None else ""


def _story(story: types.Story) -> str:
    return f"https://t.me/{story.chat.username}/s/{story.id}" if story.chat.username else ""


def _titled(shown: types.Game | types.Invoice) -> str:
    return f"{shown.title}\n{shown.description}"


def _rich_message(message: types.RichMessage) -> str:
    return words_of_rich_message(message.model_dump(mode="json", exclude_none=True))


def _tasks(added: types.ChecklistTasksAdded) -> str:
    return "\n".join(f"– {task.text}" for task in added.tasks)


def _option(added: types.PollOptionAdded) -> str:
    return f"– {added.option_text}"


def _gift(gift: types.GiftInfo) -> str:
    return gift.text or ""


def _web_app_data(data: types.WebAppData) -> str:
    return data.data


IN_WORDS: dict[str, Callable[..., str]] = {
    ContentType.CONTACT: _contact,
    ContentType.LOCATION: _location,
    ContentType.VENUE: _venue,
    ContentType.POLL: _poll,
    ContentType.CHECKLIST: _checklist,
    ContentType.DICE: _dice,
    ContentType.STICKER: _sticker,
    ContentType.STORY: _story,
    ContentType.GAME: _titled,
    ContentType.INVOICE: _titled,
    ContentType.RICH_MESSAGE: _rich_message,
    ContentType.WEB_APP_DATA: _web_app_data,
    ContentType.CHECKLIST_TASKS_ADDED: _tasks,
    ContentType.POLL_OPTION_ADDED: _option,
    ContentType.GIFT: _gift,
}
