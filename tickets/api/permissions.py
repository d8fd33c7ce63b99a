"""Who may use the API at all; what each sees and may do, the operations ask."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tickets import access


class WorksHere(BasePermission):
    """Managers and supervisors."""

    message = _("Вы не состоите среди менеджеров. Попросите старшего смены добавить вас в группу и в команду.")

    def has_permission(self, request: Request, view: Any) -> bool:
        return access.may_enter(request.user)
