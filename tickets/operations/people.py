"""Who is here, who may come in, and what happens to the work of those who leave."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from tickets import access
from tickets.models import ACTIVE, ApiSession, Change, Draft, Job, Language, Presence, SignIn, Theme, Ticket, User
from tickets.operations.acts import ring
from tickets.operations.errors import NotAllowed, WrongState
from tickets.operations.handling import free_ticket_of_the_gone
from tickets.operations.jobs import add_job
from tickets.operations.replies import note

#: Of a draft in one note, in characters: with its heading never more than a message holds.
PIECE = 1_900
PASSWORD_LINK = "password_link"  # noqa: S105  # a kind of job
LINK_EVERY = timedelta(minutes=5)
NOBODY = 0
SEEN_EVERY = timedelta(minutes=1)


def set_presence(*, user: User, presence: Presence) -> None:
    """Say whether this person is at work; signing in and out say it too."""
    user.presence, user.seen_at = presence, timezone.now()
    user.save(update_fields=["presence", "seen_at"])


def set_preferences(
    *, user: User, theme: Theme | None = None, language: Language | None = None, keys: bool | None = None
) -> None:
    """What a person chooses for themselves; None leaves a choice as it is."""
    user.theme = theme or user.theme
    user.language = language or user.language
    user.keys = user.keys if keys is None else keys
    user.save(update_fields=["theme", "language", "keys"])


def mark_present(*, user: User) -> None:
    """Remember that this person's page is open, at most once a minute: a write for every request would be the load."""
    now = timezone.now()
    User.objects.filter(pk=user.pk).exclude(seen_at__gt=now - SEEN_EVERY).update(seen_at=now)


@transaction.atomic
def disable_user(*, actor: User, user: User) -> int:
    """Shut a person out at once: pages, streams, and their active tickets back to the queue. Returns how many.

    :raises NotAllowed: the actor is no supervisor, or would disable a superuser without being one.
    :raises WrongState: the actor would shut out themselves.
    """
    _refuse_strangers(actor, user)
    if actor.pk == user.pk:
        raise WrongState(_("Себя отключить нельзя: попросите другого старшего смены."))
    locked = User.objects.select_for_update().get(pk=user.pk)
    locked.is_active = user.is_active = False
    locked.presence = Presence.OFFLINE
    # Else an old page or token would be good again once the person is let in again with the same password.
    locked.shut_out_at = user.shut_out_at = timezone.now()
    locked.save(update_fields=["is_active", "presence", "shut_out_at"])
    owned = list(Ticket.objects.filter(assignee=locked, status__in=ACTIVE).order_by("pk").values_list("pk", flat=True))
    freed = sum(free_ticket_of_the_gone(ticket_id, actor=actor) for ticket_id in owned)
    end_everything(locked)
    return freed


@dataclass(frozen=True)
class HandedOver:
    """What a locked account left: how many tickets went back to the queue, how many drafts became notes."""

    tickets: int
    drafts: int


@transaction.atomic
def lock_account(*, actor: User, user: User) -> HandedOver:
    """Shut a person out for good: they left, or somebody has their password.

    All that `disable_user` does; what they had begun to write stands as notes in its tickets, and their password is
    good no more, so that letting them in again takes a new one.

    :raises NotAllowed: the actor is no supervisor, or would lock a superuser without being one.
    :raises WrongState: the actor would lock themselves out.
    """
    _refuse_strangers(actor, user)
    User.objects.select_for_update().get(pk=user.pk)
    drafts = list(Draft.objects.filter(user=user).exclude(text="").order_by("ticket_id"))
    touched = Q(assignee=user, status__in=ACTIVE) | Q(pk__in=[draft.ticket_id for draft in drafts])
    # In one order, once: two accounts locked at the same moment may share tickets.
    list(Ticket.objects.select_for_update().filter(touched).order_by("pk").values_list("pk", flat=True))
    freed = disable_user(actor=actor, user=user)
    change_password(user=user, password=None)
    for draft in drafts:
        _leave_as_notes(draft, actor=actor, author=user)
    return HandedOver(tickets=freed, drafts=len(drafts))


def _leave_as_notes(draft: Draft, *, actor: User, author: User) -> None:
    begun = _("Черновик сотрудника %(name)s, не отправлен:") % {"name": author.display_name}
    pieces = [draft.text[start : start + PIECE] for start in range(0, len(draft.text), PIECE)]
    for text in (f"{begun}\n{pieces[0]}", *pieces[1:]):
        if text.strip():  # a note of nothing is refused, and whoever has the password could keep the account open so
            note(ticket_id=draft.ticket_id, actor=actor, text=text, client_id=uuid.uuid4())
    draft.delete()


@transaction.atomic
def enable_user(*, actor: User, user: User) -> None:
    """Let a person in again, who then signs in anew. Their former tickets stay where they are."""
    _refuse_strangers(actor, user)
    locked = User.objects.select_for_update().get(pk=user.pk)
    if not locked.is_active:
        # Not everybody was shut out by disable_user: it may have been done by hand in the database.
        locked.shut_out_at = user.shut_out_at = timezone.now()
    locked.is_active = user.is_active = True
    locked.save(update_fields=["is_active", "shut_out_at"])


@transaction.atomic
def change_password(*, user: User, password: str | None) -> None:
    """Give this person another password, or none that could be used. Whatever they had open ends at once.

    Nothing else of the row is written: it may have been disabled since it was read.
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    end_everything(user)


def ask_for_password_link(*, email: str) -> None:
    """Have a link to a new password mailed to whoever works here under this address, at most every five minutes.

    A job is asked for in any case, so that an unknown address costs the same.
    """
    address = email.replace("\0", "").strip()
    active = User.objects.filter(email__iexact=address, is_active=True).exclude(email="").order_by("pk")
    for person_id in list(active.values_list("pk", flat=True)) or [NOBODY]:
        sent = Job.objects.filter(kind=PASSWORD_LINK, key=str(person_id)).values_list("finished_at", flat=True).first()
        add_job(kind=PASSWORD_LINK, key=str(person_id), due_at=sent and sent + LINK_EVERY)


def end_everything(user: User) -> None:
    """End all that this person has open: browsers, sign-ins over the API, streams."""
    SignIn.objects.filter(user=user).delete()
    ApiSession.objects.filter(user=user, ended_at__isnull=True).update(ended_at=timezone.now())
    revoke(user=user)


def revoke(*, user: User) -> None:
    """Close this person's streams: after a change of rights they connect again, or cannot."""
    ring(Change(kind=Change.Kind.REVOKED, audience=[access.user_token(user.pk)]))


def _refuse_strangers(actor: User, user: User) -> None:
    if not access.is_supervisor(actor) or (user.is_superuser and not actor.is_superuser):
        raise NotAllowed
