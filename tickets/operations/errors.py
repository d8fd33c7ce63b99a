"""Why an operation refused. Each says what to do, carries the HTTP status to answer with, and changed nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from tickets.models import Draft, Message
    from tickets.operations.seen import Seen


class Refused(Exception):
    """The act was not done. `message` is a sentence for the person who tried."""

    status = 409
    message: "StrOrPromise" = _("Не получилось. Обновите страницу и попробуйте ещё раз.")

    def __init__(self, message: "StrOrPromise | None" = None) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.message)


class NotVisible(Refused):
    """There is no such object for this person: absent and hidden are told alike."""

    status = 404
    message = _("Такого обращения нет, или оно передано другой команде.")


class NotAllowed(Refused):
    """The person sees the object but may not do this."""

    status = 403
    message = _("На это нет прав. Попросите ответственного или старшего смены.")


class WrongState(Refused):
    """The act made sense a moment ago, but not in the state the object is in now."""


class Unseen(Refused):
    """Others wrote since the actor last looked.

    `missed` holds their messages, `revised` the older ones the customer changed, oldest first; `read_to` is what the
    actor has seen once these are read.
    """

    message = _("Пока вы писали, появились новые сообщения. Прочитайте их и отправьте ещё раз.")

    def __init__(self, missed: "Sequence[Message]", revised: "Sequence[Message]", read_to: "Seen") -> None:
        self.missed = list(missed)
        self.revised = list(revised)
        self.read_to = read_to
        super().__init__()


class Outdated(Refused):
    """The same person has written or sent newer words since, elsewhere; `draft` is what they have begun there."""

    def __init__(self, draft: "Draft | None") -> None:
        self.draft = draft
        super().__init__()


class AnotherText(Refused):
    """This browser already sent something else under the same id; the page offers a fresh id and keeps the text."""

    message = _("Это сообщение уже отправлено с другим текстом. Проверьте переписку и отправьте ещё раз.")


class Invalid(Refused):
    """A value cannot be taken; `field` names it."""

    status = 422

    def __init__(self, field: str, message: "StrOrPromise") -> None:
        self.field = field
        super().__init__(message)
