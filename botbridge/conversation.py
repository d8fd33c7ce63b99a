"""The bot's script: what it says and asks, as pure functions in the language that is active.

{name}, {brand}, {topic} and {n} are never inflected and take no suffix, in no language. Times are promised nowhere
until there are working hours to promise by.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from botbridge.buttons import (
    Button,
    ChangeTopicPress,
    Keyboard,
    LanguagePress,
    NewQuestionPress,
    NotSolvedPress,
    SameQuestionPress,
    SwitchPress,
    TopicPress,
)
from botbridge.outages import in_clock_time
from tickets.models import PAST, Language, Status, Ticket, Topic
from tickets.text import utf16_length

#: A first name the bot may greet by: Telegram lets people write anything there.
GREETABLE_NAME = re.compile(r"[^\W\d_]{2,30}")
#: Letters Kazakh has and Russian has not.
KAZAKH_LETTERS = re.compile("[әғқңөұүһі]", re.IGNORECASE)

#: Bot API, "createForumTopic": 1-128 characters.
MAX_FORUM_TOPIC_NAME = 128
NUMBER_IN_NAME = re.compile(r"№([0-9]{1,18})\b")


def command_descriptions() -> dict[str, str]:
    """The bot's commands in the order of its menu, and what the menu says about each."""
    return {
        "new": _("Задать новый вопрос"),
        "my": _("Мои обращения"),
        "lang": _("Язык"),
        "help": _("Как это работает"),
    }


def greeting(*, first_name: str, brand: str, has_topics: bool) -> str:
    name = first_name.strip()
    hello = _("Здравствуйте, {name}!").format(name=name) if GREETABLE_NAME.fullmatch(name) else _("Здравствуйте!")
    who = _("Вы пишете в поддержку компании «{brand}».").format(brand=brand)
    ask = _("Выберите тему или сразу напишите вопрос.") if has_topics else _("Напишите вопрос.")
    return " ".join([hello, who, _("Отвечают люди."), ask])


def topic_chosen(topic: Topic) -> str:
    return _("{topic}. Напишите вопрос, можно с фото или видео. Если есть номер заказа, укажите его.").format(
        topic=topic.label()
    )


def write_question() -> str:
    return _("Напишите вопрос, можно с фото или видео. Если есть номер заказа, укажите его.")


def receipt(ticket: Ticket, *, asks_topic: bool) -> str:
    sentences = [
        _("Обращение №{n} принято.").format(n=ticket.pk),
        _("Дописывайте сюда же, менеджер увидит всё."),
    ]
    return _asking_topic(" ".join(sentences), asks_topic)


def apology(ticket: Ticket, *, since: datetime, until: datetime, asks_topic: bool) -> str:
    """Instead of a receipt, to who wrote during an outage. The times are told by the clock of the ticket's team."""
    times = in_clock_time(since, until, ZoneInfo(ticket.team.time_zone))
    sentences = [
        _("Извините, бот не работал с {since} до {until}.").format(**times),
        _("Ваши сообщения получены, обращение №{n} в очереди. Повторять не нужно.").format(n=ticket.pk),
    ]
    return _asking_topic(" ".join(sentences), asks_topic)


def _asking_topic(text: str, asks_topic: bool) -> str:
    ask = _("Выберите тему, если хотите: так быстрее.")
    return f"{text}\n\n{ask}" if asks_topic else text


def reopened(ticket: Ticket) -> str:
    return _("Обращение №{n} снова в работе.").format(n=ticket.pk)


def not_solved() -> str:
    return _("Вернули в работу. Напишите, что ещё нужно решить.")


def already_at_work() -> str:
    return _("Это обращение уже в работе. Дописывайте сюда же, менеджер увидит всё.")


def cannot_reopen() -> str:
    return _("Это обращение уже закрыто. Напишите вопрос, и мы откроем новое.")


def same_or_new(ticket: Ticket) -> str:
    if ticket.topic is None:
        return _("У вас открыто обращение №{n}. Это о том же?").format(n=ticket.pk)
    topic = ticket.topic.label()
    return _("У вас открыто обращение №{n}, {topic}. Это о том же?").format(n=ticket.pk, topic=topic)


def keep_writing() -> str:
    return _("Дописывайте сюда же, менеджер увидит всё.")


def tickets_list(tickets: Sequence[Ticket], current: Ticket | None) -> str:
    if not tickets:
        return _("Обращений пока нет. Напишите вопрос, и мы его примем.")
    lines = [
        " · ".join(
            [
                ticket_line(ticket),
                ticket.status_label,
                *([_("пишете сюда")] if current is not None and ticket.pk == current.pk else []),
            ]
        )
        for ticket in tickets
    ]
    how = _("Чтобы писать в другое, нажмите кнопку или отправьте /my и номер.")
    return "\n".join([_("Ваши обращения:"), *lines, "", how]) if len(tickets) > 1 else "\n".join(lines)


def switched(ticket: Ticket) -> str:
    return _("Теперь вы пишете в обращение {line}.").format(line=ticket_line(ticket))


def no_such_ticket() -> str:
    return _("Такого обращения у вас нет. Список: /my")


def choose_language() -> str:
    return _("На каком языке вам писать? Можно командой: /lang kk, /lang ru, /lang en")


def language_chosen() -> str:
    # Translators: each language says this of itself; the Kazakh text says that the bot writes in Kazakh.
    return _("Бот будет писать по-русски.")


def help_text(*, brand: str) -> str:
    return "\n".join(
        [
            _("Это поддержка компании «{brand}». Напишите вопрос обычным сообщением, можно с фото или видео.").format(
                brand=brand
            ),
            "",
            _("/new: новый вопрос. Можно сразу с текстом: /new Где мой заказ?"),
            _("/my: ваши обращения. /my и номер: писать в это обращение."),
            _("/lang: язык бота."),
        ]
    )


def file_too_big(limit_mb: int) -> str:
    return _("Файл больше {limit}, Telegram не даёт нам его скачать. Пришлите файл поменьше или фото.").format(
        limit=_("{n} МБ").format(n=limit_mb)
    )


def unknown_kind() -> str:
    return _("Такое сообщение мы открыть не можем, менеджер видит только его вид. Напишите словами, пожалуйста.")


def card_seen() -> str:
    return _(
        "Похоже, вы прислали номер карты. Он нам не нужен, мы его скрыли. Удалите сообщение и никому не сообщайте коды "
        "из СМС."
    )


def flood() -> str:
    return _("Сообщений очень много. Все сохранены, менеджер прочитает их по порядку.")


def joined(ticket: Ticket) -> str:
    return _("Новых обращений уже много. Мы дописали это в обращение №{n}, менеджер увидит всё.").format(n=ticket.pk)


def group_chat(link: str) -> str:
    return _("Я отвечаю только в личных сообщениях: {link}").format(link=link)


def author_line(public_name: str) -> str:
    return _("{public_name}, поддержка").format(public_name=public_name)


def ticket_line(ticket: Ticket) -> str:
    if ticket.topic is None:
        return _("№{n}").format(n=ticket.pk)
    return _("№{n}, {topic}").format(n=ticket.pk, topic=ticket.topic.label())


def forum_topic_name(ticket: Ticket) -> str:
    """The name of a ticket's own topic: number, what it is about, and a sign in front once it is solved."""
    about = ticket.subject or (ticket.topic.label() if ticket.topic is not None else "")
    name = f"№{ticket.pk} {about}".strip()
    if ticket.status in PAST:
        name = f"{Status.RESOLVED.emoji} {name}"
    if utf16_length(name) <= MAX_FORUM_TOPIC_NAME:
        return name
    return name.encode("utf-16-le")[: 2 * (MAX_FORUM_TOPIC_NAME - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def ticket_number_in(forum_topic_name: str) -> int | None:
    """The number of the ticket whose topic bears this name."""
    found = NUMBER_IN_NAME.search(forum_topic_name)
    return int(found[1]) if found else None


def topics_keyboard(topics: Sequence[Topic]) -> Keyboard:
    return [[Button(topic.label(), TopicPress(topic=topic.pk))] for topic in topics]


def change_topic_keyboard() -> Keyboard:
    return [[Button(_("Сменить тему"), ChangeTopicPress())]]


def same_or_new_keyboard(ticket: Ticket) -> Keyboard:
    return [
        [Button(_("Да, дописать"), SameQuestionPress(ticket=ticket.pk))],
        [Button(_("Нет, новый вопрос"), NewQuestionPress())],
    ]


def tickets_keyboard(tickets: Sequence[Ticket]) -> Keyboard:
    return [[Button(ticket_line(ticket), SwitchPress(ticket=ticket.pk))] for ticket in tickets]


def not_solved_keyboard(ticket: Ticket) -> Keyboard:
    return [[Button(_("Вопрос не решён"), NotSolvedPress(ticket=ticket.pk))]]


def languages_keyboard(languages: Sequence[Language]) -> Keyboard:
    """One row; each language is named in itself."""
    return [[Button(str(language.label), LanguagePress(language=language.value)) for language in languages]]


def other_languages(language: str) -> list[Language]:
    """What a greeting in `language` offers instead of it."""
    offers = {Language.RU: [Language.KK], Language.KK: [Language.RU], Language.EN: [Language.RU, Language.KK]}
    return offers[Language(language)]


def language_named(word: str) -> Language | None:
    """The language a person means by its code or its own name."""
    wanted = word.strip().casefold()
    return next((item for item in Language if wanted in (item.value, str(item.label).casefold())), None)
