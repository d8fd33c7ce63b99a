"""What became of a customer's file. The bridge fetches; a person may ask for another try."""

from datetime import timedelta

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from tickets import access
from tickets.files import can_be_asked_for_again
from tickets.models import Attachment, AttachmentState, Change, ContentType, Event, Missing, User
from tickets.operations.acts import acting, begin, lock_ticket
from tickets.operations.errors import NotVisible, WrongState
from tickets.operations.uploads import Upload, stored


def start_fetching(*, lease: timedelta, attachment_id: int | None = None) -> Attachment | None:
    """Claim the file that has been due longest, or the named one if it is due, for the worker about to fetch it; None
    where there is none.

    A worker that has not said after `lease` what became of it has died: the file is due again.
    """
    due = Attachment.objects.due_for_fetching()
    if attachment_id is not None:
        due = due.filter(pk=attachment_id)
    if not due.exists():  # asked without a lock, since most of the time there is nothing
        return None
    with transaction.atomic():
        attachment = due.select_for_update(of=("self",), skip_locked=True).first()
        if attachment is None:
            return None
        attachment.state, attachment.due_at = AttachmentState.FETCHING, timezone.now() + lease
        attachment.attempts += 1
        attachment.save(update_fields=["state", "due_at", "attempts"])
        return attachment


def fetch_later(*, attachment_id: int, delay: timedelta) -> None:
    """Put a file that did not come this time back in line."""
    fetching = Attachment.objects.filter(pk=attachment_id, state=AttachmentState.FETCHING)
    fetching.update(state=AttachmentState.PENDING, due_at=timezone.now() + delay)


def attach_file(*, attachment_id: int, file: "File[bytes]") -> Attachment:
    """Store a fetched file and show it. What it is, its bytes say.

    The bytes go to storage before any row is locked; where the row cannot be written they are removed again.
    """
    # How it travelled is known; as what its bytes could is not asked.
    with stored([Upload(name="", file=file, kind=ContentType.DOCUMENT)]) as files, transaction.atomic():
        fetched = files.files[0]
        attachment = _lock(attachment_id)
        attachment.file.name = fetched.path
        attachment.sniffed_type, attachment.size = fetched.media_type, fetched.size
        attachment.state, attachment.reason, attachment.due_at = AttachmentState.READY, "", None
        attachment.thumbnail.name, attachment.thumbnail_state = "", None
        attachment.save()
        _announce(attachment)
        files.taken = True
        return attachment


@transaction.atomic
def fail_file(
    *, attachment_id: int, state: AttachmentState, reason: Missing | str = "", attempt: int | None = None
) -> Attachment:
    """Say why a file will not come by itself.

    `attempt`: which of its attempts has failed, where a worker says so. One that is late says nothing of a file that
    another has brought since, or is at.
    """
    attachment = _lock(attachment_id)
    if attempt is not None and (attachment.state, attachment.attempts) != (AttachmentState.FETCHING, attempt):
        return attachment
    attachment.state, attachment.reason, attachment.due_at = state, reason, None
    attachment.save(update_fields=["state", "reason", "due_at"])
    _announce(attachment)
    return attachment


def retry_file(*, attachment_id: int, actor: User) -> Attachment:
    """Ask for a failed file again, one that has gone from the disk, or one that a higher limit lets in now.

    :raises WrongState: it is here already, on its way, or too big.
    """
    ticket_id = Attachment.objects.filter(pk=attachment_id).values_list("message__ticket_id", flat=True).first()
    if ticket_id is None:
        raise NotVisible
    with acting(ticket_id, actor=actor, may=access.can_note) as act:
        attachment = Attachment.objects.select_for_update().get(pk=attachment_id)
        if not can_be_asked_for_again(attachment):
            raise WrongState
        attachment.state, attachment.reason, attachment.attempts = AttachmentState.PENDING, "", 0
        attachment.due_at = timezone.now()
        attachment.save(update_fields=["state", "reason", "attempts", "due_at"])
        act.record(Event.Kind.FILE, change=Change.Kind.MESSAGE_STATE, message=attachment.message)
        return attachment


def _lock(attachment_id: int) -> Attachment:
    """The file's row, after its ticket's as every act locks."""
    attachment = Attachment.objects.select_related("message").get(pk=attachment_id)
    if attachment.message.ticket_id is not None:
        attachment.message.ticket = lock_ticket(attachment.message.ticket_id)
    locked = Attachment.objects.select_for_update().get(pk=attachment_id)
    locked.message = attachment.message
    return locked


def _announce(attachment: Attachment) -> None:
    message = attachment.message
    if message.ticket is not None:
        begin(message.ticket).record(
            Event.Kind.FILE, change=Change.Kind.MESSAGE_STATE, message=message, state=attachment.state
        )
