"""Payment card numbers customers write: kept apart from their words, and shown to who asks, with a line for it."""

from collections.abc import Iterable

from tickets import access
from tickets.models import Event, HiddenCard, Message, User
from tickets.operations.acts import acting
from tickets.operations.errors import NotVisible


def keep_cards(message: Message, numbers: Iterable[str]) -> None:
    """Keep the numbers that were masked in a message's words, each once however often it is written."""
    cards = [HiddenCard(message=message, number=number) for number in numbers]
    if cards:
        HiddenCard.objects.bulk_create(cards, ignore_conflicts=True)


def reveal_cards(*, message_id: int, actor: User) -> list[str]:
    """The card numbers hidden in a message, also in what it said before an edit; who looked stands in the history.

    :raises NotVisible: the actor does not see the message, or nothing is hidden in it.
    """
    message = Message.objects.filter(pk=message_id, hidden_cards__isnull=False).first()
    if message is None or message.ticket_id is None:
        raise NotVisible
    with acting(message.ticket_id, actor=actor, may=access.can_note) as act:
        act.record(Event.Kind.CARD_SHOWN, message=message)
        return list(message.hidden_cards.order_by("pk").values_list("number", flat=True))
