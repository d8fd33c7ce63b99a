"""What people and programs are told when a request could not be answered."""

import sqlite3
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.defaults import server_error

from tickets.api import problems

API = "/api/"
#: The part of SQLite's result codes that names the error (https://sqlite.org/rescode.html).
PRIMARY = 0xFF
#: Seconds after which asking again may help.
RETRY_AFTER = "10"


def failed(request: HttpRequest) -> HttpResponse:
    """Django's handler500. A database that was too slow, or away, is no error of the request's: 503, try again.

    Django calls it while the exception is being handled, wherever it came from. Nothing here asks the database.
    """
    is_busy = is_of_a_busy_database(sys.exception())
    if request.path.startswith(API):
        return _problem(is_busy)
    if not is_busy:
        return server_error(request)
    page = render_to_string("503.html", {"LANGUAGE_CODE": get_language()})
    return HttpResponse(page, status=503, headers={"Retry-After": RETRY_AFTER})


def is_of_a_busy_database(error: BaseException | None) -> bool:
    """Whether asking again may help: SQLite gives one class to a file that is locked and to a table that is missing."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is None or code & PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _problem(is_busy: bool) -> HttpResponse:
    if is_busy:
        words = _("База данных не успела ответить. Повторите запрос через несколько секунд.")
        return problems.answer(503, words, **{"Retry-After": RETRY_AFTER})
    return problems.answer(500, _("На сервере случилась ошибка. Она записана в журнал."))
