"""Times, sizes and names the way the desk says them, in the language of the page."""

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

MINUTE = 60
MINUTES_IN_HOUR = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
AVATAR_HUES = 6


def phrases() -> dict[str, str]:
    """Phrases with places for numbers, for the server and for the script that repeats them as time passes."""
    return _phrases_in(get_language())


@cache
def _phrases_in(_language: str | None) -> dict[str, str]:
    """Looked up once a language: each row of a queue uses several."""
    return {
        "waiting": _("ждёт %(time)s"),
        "moment": _("меньше минуты"),
        "minutes": _unbroken(_("%(minutes)s мин")),
        "hours": _unbroken(_("%(hours)s ч %(minutes)s мин")),
        "days": _unbroken(_("%(days)s дн")),
        "today": _("Сегодня, %(day)s"),
        "yesterday": _("Вчера, %(day)s"),
        "kilobytes": _unbroken(_("%(size)s КБ")),
        "megabytes": _unbroken(_("%(size)s МБ")),
    }


def _unbroken(phrase: str) -> str:
    """Numbers stay beside their units. Not in the msgid: the extractor does not read escapes."""
    return phrase.replace(" ", "\u00a0")


def short_duration(seconds: float) -> str:
    """A span as «27 мин», «1 ч 12 мин» or «3 дн»."""
    minutes, hours, days = int(seconds // MINUTE), int(seconds // HOUR), int(seconds // DAY)
    if minutes < 1:
        phrase = "moment"
    elif hours < 1:
        phrase = "minutes"
    else:
        phrase = "hours" if days < 1 else "days"
    numbers = {"minutes": minutes % MINUTES_IN_HOUR, "hours": hours, "days": days}
    return phrases()[phrase] % numbers


def waiting(since: datetime, now: datetime) -> str:
    """How long the customer has waited, for a queue row."""
    return phrases()["waiting"] % {"time": short_duration((now - since).total_seconds())}


def clock(moment: datetime) -> str:
    """The time of day where the page's clock stands, «09:52»."""
    return f"{timezone.localtime(moment):%H:%M}"


def short_moment(moment: datetime, now: datetime) -> str:
    """When something happened, as short as a row allows: «09:58», «вчера», «12 сен», «12.09.2024»."""
    local, today = timezone.localtime(moment), timezone.localtime(now).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if local.date() == today - timedelta(days=1):
        return _("вчера")
    if local.year == today.year:
        return formats.date_format(local, "j b")
    return formats.date_format(local, "d.m.Y")


def moment_in_words(moment: datetime, now: datetime) -> str:
    """«сегодня в 12:20», «завтра в 9:00», «24 марта в 9:00»."""
    local, today = timezone.localtime(moment), timezone.localtime(now).date()
    names = {today: _("сегодня"), today - timedelta(days=1): _("вчера"), today + timedelta(days=1): _("завтра")}
    day = names.get(local.date()) or _plain_day(local.date(), today)
    return _at(day, local)


def moment_by_date(moment: datetime, now: datetime) -> str:
    """The same on every day of a year: «24 марта в 9:00»."""
    local = timezone.localtime(moment)
    return _at(_plain_day(local.date(), timezone.localtime(now).date()), local)


def _at(day: str, local: datetime) -> str:
    return _("%(day)s в %(time)s") % {"day": day, "time": formats.date_format(local, "H:i")}


def exact_moment(moment: datetime) -> str:
    """The same whenever it is read: «24 марта 09:00»."""
    return formats.date_format(timezone.localtime(moment), "j E H:i")


def until_moment(moment: datetime, now: datetime) -> str:
    """Until when, as short as a row allows: «до 18:26», «до завтра», «до 24 мар»."""
    local, today = timezone.localtime(moment), timezone.localtime(now).date()
    if local.date() == today:
        when = formats.date_format(local, "H:i")
    elif local.date() == today + timedelta(days=1):
        when = _("завтра")
    else:
        when = formats.date_format(local, "j b")
    return _("до %(time)s") % {"time": when}


def day_heading(day: date, now: datetime) -> str:
    """The heading over a day of a conversation: «Сегодня, 18 ноября»."""
    today, plain = timezone.localtime(now).date(), plain_day(day, now)
    if day == today:
        return phrases()["today"] % {"day": plain}
    if day == today - timedelta(days=1):
        return phrases()["yesterday"] % {"day": plain}
    return plain


def plain_day(day: date, now: datetime) -> str:
    """The same day by its date alone: «18 ноября»."""
    return _plain_day(day, timezone.localtime(now).date())


def end_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """The midnight after which «сегодня», «вчера» and «завтра» mean other days than they do at `moment`."""
    return datetime.combine(moment.astimezone(zone).date() + timedelta(days=1), time.min, zone)


def _plain_day(day: date, today: date) -> str:
    return formats.date_format(day, "j E" if day.year == today.year else "j E Y")


def file_size(size: int) -> str:
    """Bytes as «184 КБ» or «8,2 МБ»."""
    if size >= MEGABYTE:
        number = formats.number_format(round(size / MEGABYTE, 1), use_l10n=True)
        return phrases()["megabytes"] % {"size": number}
    return phrases()["kilobytes"] % {"size": max(1, round(size / KILOBYTE))}


def track_length(seconds: int) -> str:
    """The length of a sound or a video, «0:27»."""
    return f"{seconds // MINUTE}:{seconds % MINUTE:02}"


def card_number(digits: str) -> str:
    """As it stands on most cards, «4111 1111 1111 1111»."""
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))


def initials(name: str) -> str:
    """Up to two first letters of a name, for an avatar."""
    letters = [word[0] for word in name.replace("@", " ").split() if word[0].isalnum()]
    return "".join(letters[:2]).upper() or "?"


def hue(key: int) -> int:
    """Which of the avatar's colours (1 to 6) stands for this person."""
    return key % AVATAR_HUES + 1
