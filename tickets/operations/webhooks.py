"""Webhooks: who is told of events, and what came of it. The telling itself is the site's (`helpdesk.webhooks`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tickets.models import Event, Job, User, Webhook, WebhookCall, WebhookOff
from tickets.models.webhooks import new_seed
from tickets.operations.errors import Invalid, WrongState
from tickets.operations.jobs import add_job
from tickets.operations.rights import supervisors_only

#: The jobs that tell: one a webhook, for as long as it is on, and one for each repetition a supervisor asks for.
TELL_WEBHOOK = "tell_webhook"
REPEAT_WEBHOOK_CALL = "repeat_webhook_call"

GIVEN_UP_AFTER = timedelta(days=3)
CALLS_LIVE = timedelta(days=30)


@transaction.atomic
def add_webhook(*, actor: User, name: str, address: str, kinds: Sequence[str] = ()) -> Webhook:
    """Tell this address of every event from now on, or of those kinds alone.

    :raises NotAllowed: the actor is no supervisor.
    :raises Invalid: the address or a kind is not one.
    """
    supervisors_only(actor)
    facts = _checked(name, address, kinds)
    webhook = Webhook.objects.create(created_by=actor, reached=Event.objects.last_given_id(), **facts)
    add_job(kind=TELL_WEBHOOK, key=str(webhook.pk))
    return webhook


def change_webhook(*, actor: User, webhook: Webhook, name: str, address: str, kinds: Sequence[str] = ()) -> Webhook:
    """Tell another address, or of other kinds.

    :raises NotAllowed: the actor is no supervisor.
    :raises Invalid: the address or a kind is not one.
    """
    supervisors_only(actor)
    for field, value in _checked(name, address, kinds).items():
        setattr(webhook, field, value)
    # Another address has not failed yet.
    webhook.failing_since = None
    webhook.save(update_fields=["name", "address", "kinds", "failing_since"])
    return webhook


def _checked(name: str, address: str, kinds: Sequence[str]) -> dict[str, Any]:
    check_webhook_address(address)
    if set(kinds).difference(Event.Kind.values):
        raise Invalid("kinds", _("Таких событий нет."))
    return {"name": name, "address": address, "kinds": sorted(kinds)}


def check_webhook_address(address: str) -> None:
    """Whether it has the form of one; where its name leads is looked at each time it is called.

    :raises Invalid: not https, though only WEBHOOK_NETWORKS of our own may do without; or it carries a password, which
        would stand open in the admin.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_NETWORKS):
        raise Invalid("address", _("Нужен адрес, который начинается с https://."))
    if not parts.hostname:
        raise Invalid("address", _("В адресе нет имени сервера."))
    if parts.username or parts.password:
        raise Invalid("address", _("Уберите из адреса имя и пароль: получатель проверяет подпись."))


def renew_webhook_secret(*, actor: User, webhook: Webhook) -> Webhook:
    """Sign with another secret from now on.

    :raises NotAllowed: the actor is no supervisor.
    """
    supervisors_only(actor)
    webhook.seed = new_seed()
    webhook.save(update_fields=["seed"])
    return webhook


def turn_webhook_off(*, actor: User, webhook: Webhook) -> None:
    """Tell it nothing until it is turned on.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: it was turned off by hand before.
    """
    supervisors_only(actor)
    if not Webhook.objects.filter(pk=webhook.pk).exclude(off=WebhookOff.BY_HAND).update(off=WebhookOff.BY_HAND):
        raise WrongState(_("Уже выключен."))


@transaction.atomic
def turn_webhook_on(*, actor: User, webhook: Webhook) -> None:
    """Tell it again, beginning with what it missed.

    :raises NotAllowed: the actor is no supervisor.
    :raises WrongState: it is on.
    """
    supervisors_only(actor)
    if not Webhook.objects.filter(pk=webhook.pk).exclude(off="").update(off="", failing_since=None):
        raise WrongState(_("Уже включён."))
    add_job(kind=TELL_WEBHOOK, key=str(webhook.pk))


@transaction.atomic
def record_webhook_call(
    *, webhook: Webhook, event: Event, status: int | None, error: str, answer: str, milliseconds: int, is_repeat: bool
) -> WebhookCall:
    """Write down what came of telling `webhook` of `event`; `error` is empty where it arrived.

    One that has not answered for three days, or answers 410, is told nothing more.
    """
    call = WebhookCall.objects.create(
        webhook=webhook,
        event=event,
        status=status,
        error=error[:200],
        answer=answer.replace("\0", "\ufffd")[:500],
        milliseconds=milliseconds,
        is_repeat=is_repeat,
    )
    row = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if call.arrived:
        row.arrived_at = call.made_at
    if not is_repeat:
        _go_on(row, call)
    row.save(update_fields=["arrived_at", "failing_since", "reached", "off"])
    return call


def _go_on(row: Webhook, call: WebhookCall) -> None:
    if call.arrived:
        row.reached, row.failing_since = max(row.reached, call.event_id), None
        return
    row.failing_since = row.failing_since or call.made_at
    if row.off:
        return
    if call.status == 410:
        row.off = WebhookOff.UNWANTED
    elif call.made_at - row.failing_since >= GIVEN_UP_AFTER:
        row.off = WebhookOff.FAILING


def start_webhooks() -> int:
    """Have those told whose job is missing, as after a restore: jobs are not in a backup."""
    started = Job.objects.filter(kind=TELL_WEBHOOK, due_at__isnull=False).values_list("key", flat=True)
    asleep = Webhook.objects.filter(off="").exclude(pk__in=[int(key) for key in started])
    for webhook_id in asleep.values_list("pk", flat=True):
        add_job(kind=TELL_WEBHOOK, key=str(webhook_id))
    return len(asleep)


def pass_over_for_webhook(*, webhook: Webhook, event_id: int) -> None:
    """Events up to this one are not of the kinds it is told of, so it has missed none of them."""
    Webhook.objects.filter(pk=webhook.pk, reached__lt=event_id).update(reached=event_id, failing_since=None)


def repeat_webhook_call(*, actor: User, call: WebhookCall) -> None:
    """Tell the webhook of that event once more, out of turn.

    :raises NotAllowed: the actor is no supervisor.
    """
    supervisors_only(actor)
    add_job(kind=REPEAT_WEBHOOK_CALL, key=str(call.pk))


def prune_webhook_calls(*, now: datetime | None = None) -> int:
    """Drop what was written down a month ago."""
    deleted, _rows = WebhookCall.objects.filter(made_at__lt=(now or timezone.now()) - CALLS_LIVE).delete()
    return deleted
