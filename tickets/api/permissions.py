"""Who may use the API at all; what each sees and may do, the operations ask."""

from typing import Any, ClassVar, cast

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tickets import access
from tickets.access import Caller, Program
from tickets.models import Scope

NOT_FOR_PROGRAMS = _("Программам это недоступно, или у программы нет на это права.")


class OpenToPrograms:
    """A view that service accounts may call too, each method under its scope; the methods not named are people's."""

    scopes: ClassVar[dict[str, Scope]]


def scope_of(view: Any, method: str) -> Scope | None:
    """What a service account needs to call this; None where it is for people alone. HEAD is GET without its body."""
    return view.scopes.get("GET" if method == "HEAD" else method) if isinstance(view, OpenToPrograms) else None


class WorksHere(BasePermission):
    """Managers and supervisors, and programs where the view is open to them."""

    message = _("Вы не состоите среди менеджеров. Попросите старшего смены добавить вас в группу и в команду.")

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = cast(Caller, request.user)
        if not isinstance(caller, Program):
            return access.may_enter(caller)
        self.message = NOT_FOR_PROGRAMS
        scope = scope_of(view, request.method or "")
        return scope is not None and caller.may(scope)
