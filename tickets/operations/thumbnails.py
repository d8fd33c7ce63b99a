"""Small stills of the pictures in conversations, made when nobody waits for them: a page shows the whole until then."""

import logging
import signal
import subprocess
import sys
import time

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from tickets import pictures
from tickets.models import Attachment, ContentType, ThumbnailState, thumbnail_path
from tickets.operations.jobs import JobFailed

logger = logging.getLogger(__name__)

#: Of a sticker the whole is small enough.
KINDS = (ContentType.PHOTO, ContentType.DOCUMENT)
TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")

#: Files looked at and pictures made small in one run, and seconds after which it begins no other: those of years ago
#: come slowly, behind whatever is new.
LOOKED_AT = 200
MADE_AT_MOST = 10
SECONDS = 20
#: Of one picture. It may use less time of the processor's, so that this says how busy the machine is.
PATIENCE = 60

#: How a process ends that a picture has ended: refused, out of time, killed for its memory, or broken by it.
ITS_FAULT = {
    pictures.UNREADABLE,
    *(-number for number in (signal.SIGXCPU, signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)),
}


class _Unreadable(Exception):
    """No still can be made of this picture, now or later."""


def make_thumbnails() -> int:
    """Make small stills that are missing, of the newest pictures first, and say how many were made.

    Each file is looked at once: what is no picture, or one that cannot be read, is marked and stays as it is.

    :raises JobFailed: storage or this machine fails; another run goes on.
    """
    began, made = time.monotonic(), 0
    waiting = list(Attachment.objects.without_thumbnail()[:LOOKED_AT])
    others = [attachment.pk for attachment in waiting if not _is_wanted(attachment)]
    Attachment.objects.without_thumbnail().filter(pk__in=others).update(thumbnail_state=ThumbnailState.NEEDLESS)
    for attachment in [attachment for attachment in waiting if _is_wanted(attachment)][:MADE_AT_MOST]:
        if time.monotonic() - began > SECONDS:
            break
        made += _make(attachment)
    return made


def _is_wanted(attachment: Attachment) -> bool:
    return attachment.kind in KINDS and attachment.sniffed_type in TYPES


def _make(attachment: Attachment) -> bool:
    try:
        (width, height), still = _shrunk(attachment)
    except _Unreadable as refusal:
        logger.info("Thumbnails: the picture of file %s cannot be read (%s)", attachment.pk, refusal)
        _settle(attachment, thumbnail_state=ThumbnailState.REFUSED)
        return False
    except OSError as error:
        raise JobFailed(_("Картинку не прочитать: {reason}").format(reason=error.strerror)) from error
    try:
        path = default_storage.save(thumbnail_path(None, ""), ContentFile(still))
    except OSError as error:
        raise JobFailed(_("Картинку не сохранить: {reason}").format(reason=error.strerror)) from error
    # What it says of its size is truer than what was said of it.
    taken = _settle(attachment, thumbnail_state=ThumbnailState.MADE, thumbnail=path, width=width, height=height)
    if not taken:
        default_storage.delete(path)
    return taken


def _settle(attachment: Attachment, **facts: object) -> bool:
    """Whether these facts are the first about this file: another worker may have had the job for a while."""
    same = Attachment.objects.without_thumbnail().filter(pk=attachment.pk, file=attachment.file.name)
    return bool(same.update(**facts))


def _shrunk(attachment: Attachment) -> tuple[pictures.Size, bytes]:
    """
    :raises _Unreadable: the file is not there, or no picture that can be made small.
    :raises JobFailed: it was not even tried.
    """
    try:
        source = attachment.file.open("rb")
    except FileNotFoundError:
        raise _Unreadable("not in storage") from None
    with source:
        try:
            done = subprocess.run(  # noqa: S603  # our own program
                [sys.executable, "-I", pictures.__file__],
                stdin=source.fileno(),
                capture_output=True,
                timeout=PATIENCE,
                check=False,
                env={},
            )
        except subprocess.TimeoutExpired:
            raise JobFailed(_("Машина слишком занята, чтобы уменьшать картинки.")) from None
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:100]
    if done.returncode in ITS_FAULT:
        raise _Unreadable(said or f"code {done.returncode}")
    if done.returncode != 0:
        raise JobFailed(_("Программа, что уменьшает картинки, не работает: {error}").format(error=said))
    size, _newline, still = done.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return (width, height), still
