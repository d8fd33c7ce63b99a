"""What the page's script says, in the site's language, and how it names the knobs."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botbridge.sandbox.knobs import KINDS


def page_words() -> dict[str, Any]:
    """The script's texts; where a number stands in one, all plural forms, by Intl.PluralRules' names."""
    return {
        "you": _("бот · вы {name}"),
        "nameless": _("Без имени"),
        "actions": {
            "typing": _("печатает…"),
            "upload_photo": _("отправляет фото…"),
            "upload_document": _("отправляет файл…"),
        },
        "notStarted": _("Ещё не нажимали «Старт»"),
        "stopped": _("Бот остановлен"),
        "start": _("Старт"),
        "empty": _("Здесь пока ничего нет. Нажмите «Старт» или напишите первым."),
        "you_prefix": _("Вы: {text}"),
        "unread": _("Новых сообщений: {n}"),
        "edited": _("изменено"),
        "reply": _("Ответить цитатой"),
        "edit": _("Изменить"),
        "react": _("Реакция {emoji}"),
        "replyTo": _("Ответ: {name}"),
        "editing": _("Изменение сообщения"),
        "buttons": _("Кнопки под сообщением, {time}"),
        "listen": _("Слушать голосовое сообщение"),
        "kinds": {
            "photo": _("Фото"),
            "album": _("Альбом"),
            "video": _("Видео"),
            "voice": _("Голосовое сообщение"),
            "audio": _("Аудио"),
            "document": _("Файл"),
            "sticker": _("Стикер"),
            "contact": _("Контакт"),
            "location": _("Место на карте"),
            "poll": _("Опрос"),
            "forum_topic_created": _("Создана тема «{name}»"),
            "forum_topic_edited": _("Тема переименована: «{name}»"),
        },
        "other": _("Сообщение вида {kind}"),
        "units": [_("Б"), _("КБ"), _("МБ")],
        "remove": _("Убрать {name}"),
        "recording": _("Идёт запись, нажмите ещё раз, чтобы отправить"),
        "tooMany": _("В одном альбоме не больше 10 файлов"),
        "offline": _("Песочница не отвечает, соединяемся…"),
        "failed": _("Не получилось: {reason}"),
        "allTopics": _("Все сообщения"),
        "noAnswer": _("Бот не ответил на нажатие"),
        "left": _plural(lambda n: ngettext("осталось {n} раз", "осталось {n} раза", n)),
        "whileOn": _("пока включено"),
        "knobsOn": _("Неполадки и журнал, включено: {n}"),
        "accepted": _("принят"),
        "none": _("нет"),
        "cut": _("обрыв"),
        "hung": _("завис"),
        "wait": _("ждать {n} с"),
        "ms": _("{n} мс"),
        "toBot": _("от клиента: "),
        "toCustomer": _("клиенту: "),
        "files": {"receipt": _("Чек_719-204.pdf"), "film": _("Ремонт.mp4")},
    }


def _plural(form: Any) -> dict[str, str]:
    """The forms a script needs to say it with any number: Russian has one, few and many, English one and other."""
    return {"one": form(1), "few": form(2), "many": form(5), "other": form(5)}


def page_knobs() -> list[dict[str, str]]:
    """The knobs in reach, in the order of the page."""
    return [
        _knob(
            "too_many_requests",
            _("429, слишком часто"),
            _("Telegram просит подождать %(n)s с") % {"n": round(KINDS["too_many_requests"].seconds)},
        ),
        _knob("server_error", _("500, сбой Telegram"), _("Не принято, ответ с ошибкой")),
        _knob("hang", _("Зависнуть, приняв"), _("Клиент получит, сервер не узнает")),
        _knob("drop", _("Потерять запрос"), _("Связь рвётся, клиент не получит")),
        _knob(
            "album_in_parts",
            _("Альбом по частям"),
            _("Часть фото придёт через %(n)s с") % {"n": round(KINDS["album_in_parts"].seconds)},
        ),
        _knob("stopped", _("Остановить бота"), _("403 на каждую отправку этому клиенту")),
        _knob(
            "slow",
            _("Медленная сеть"),
            _("Каждый вызов дольше на %(n)s с") % {"n": round(KINDS["slow"].seconds)},
        ),
    ]


def rare_knobs() -> list[dict[str, str]]:
    """The knobs behind «Ещё неполадки»."""
    return [
        _knob("server_error_after_delivery", _("500 после доставки"), _("Клиент получит, ответ с ошибкой")),
        _knob("cut", _("Обрыв после доставки"), _("Клиент получит, связь рвётся")),
        _knob("partial_album", _("Альбом не целиком"), _("Дойдёт половина, ответ с ошибкой")),
        _knob("bad_gateway", _("502, страница вместо ответа"), _("Не принято, HTML вместо JSON")),
        _knob("limits", _("Пределы Telegram"), _("30 сообщений в секунду, 1 в чат")),
        _knob("threaded_mode", _("Темы в чате"), _("У бота включён Threaded Mode")),
        _knob("topic_ignored", _("Мимо темы"), _("Сообщение для темы попадёт в общий чат")),
    ]


def _knob(name: str, title: str, effect: str) -> dict[str, str]:
    return {"name": name, "title": title, "effect": effect}
