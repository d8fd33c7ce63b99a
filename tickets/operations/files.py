"""What became of a customer's file. The bridge fetches; a person may ask for another try."""

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from tickets import access
from tickets.models import Attachment, AttachmentState, Change, Event, User
from tickets.operations.acts import acting, begin, lock_ticket
from tickets.operations.errors import NotVisible, WrongState
from tickets.operations.uploads import Upload, stored


def attach_file(*, attachment_id: int, file: "File[bytes]") -> Attachment:
    """Store a fetched file and show it. What it is, its bytes say.

    The bytes go to storage before any row is locked; where the row cannot be written they are removed again.
    """
    with stored([Upload(name="", file=file)]) as files, transaction.atomic():
        fetched = files.files[0]
        attachment = _lock(attachment_id)
        attachment.file.name = fetched.path
        attachment.sniffed_type, attachment.size = fetched.media_type, fetched.size
        attachment.state, attachment.reason, attachment.due_at = AttachmentState.READY, "", None
        attachment.save()
        _announce(attachment)
        files.taken = True
        return attachment


@transaction.atomic
def fail_file(*, attachment_id: int, state: AttachmentState, reason: str = "") -> Attachment:
    """Say why a file will not come by itself."""
    attachment = _lock(attachment_id)
    attachment.state, attachment.reason, attachment.due_at = state, reason[:200], None
    attachment.save(update_fields=["state", "reason", "due_at"])
    _announce(attachment)
    return attachment


def retry_file(*, attachment_id: int, actor: User) -> Attachment:
    """Ask for a failed file again.

    :raises WrongState: it is here already, or on its way.
    """
    ticket_id = Attachment.objects.filter(pk=attachment_id).values_list("message__ticket_id", flat=True).first()
    if ticket_id is None:
        raise NotVisible
    with acting(ticket_id, actor=actor, may=access.can_note) as act:
        attachment = Attachment.objects.select_for_update().get(pk=attachment_id)
        if attachment.state not in (AttachmentState.FAILED, AttachmentState.GONE):
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
