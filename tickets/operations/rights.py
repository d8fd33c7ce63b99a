from tickets import access
from tickets.models import User
from tickets.operations.errors import NotAllowed


def supervisors_only(actor: User) -> None:
    """:raises NotAllowed: the actor is no supervisor."""
    if not access.is_supervisor(actor):
        raise NotAllowed
