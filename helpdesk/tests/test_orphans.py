"""Files no row names go away after a day; whatever a row names, or may name soon, stays."""

import os
import time
from io import StringIO
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from helpdesk.backup import back_up, restore
from helpdesk.orphans import SHARES, WrongDatabase, delete_orphans, find_orphans, sweep_share
from tickets import operations
from tickets.models import Attachment, AttachmentState, ContentType, Job, Message, Sender, Ticket, attachment_path
from tickets.operations import JobFailed

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path) -> Any:
    """Files of other tests, whose rows are gone, are none of these tests'."""
    with override_settings(MEDIA_ROOT=tmp_path / "media"):
        yield


def stored(name: str = "", *, days: float = 2) -> str:
    """A file that came so many days ago."""
    name = default_storage.save(name or attachment_path(None, ""), ContentFile(b"bytes"))
    when = time.time() - days * DAY
    os.utime(default_storage.path(name), (when, when))
    return name


def attached(ticket: Ticket, name: str, **more: str) -> Attachment:
    message = Message.objects.create(ticket=ticket, customer=ticket.customer, sender=Sender.CLIENT)
    return Attachment.objects.create(
        message=message, kind=ContentType.DOCUMENT, file=name, state=AttachmentState.READY, **more
    )


def test_what_no_row_names_goes_and_all_else_stays(ticket: Ticket) -> None:
    kept = [stored(), stored("thumbnails/aa/bb/still"), stored(days=0.9), stored("incoming/half"), stored("other/x")]
    attached(ticket, kept[0], thumbnail=kept[1])
    lost = [stored(), stored("thumbnails/aa/bb/none"), stored("attachments/aa/short")]

    assert sorted(find_orphans().orphans) == sorted(lost)
    assert delete_orphans(find_orphans()) == 3

    assert all(default_storage.exists(name) for name in kept)
    assert not any(default_storage.exists(name) for name in lost)


def test_a_file_two_messages_share_stays_while_one_names_it(ticket: Ticket) -> None:
    name = stored()
    attached(ticket, name)
    attached(ticket, name)
    assert find_orphans().orphans == []


def test_in_a_day_each_share_is_looked_at_once() -> None:
    lost = [stored() for _ in range(40)]
    found = [name for share in range(SHARES) for name in find_orphans(share=share).orphans]
    assert sorted(found) == sorted(lost)


def test_files_of_another_database_are_left_alone(ticket: Ticket) -> None:
    attached(ticket, stored())
    lost = [stored() for _ in range(21)]
    with pytest.raises(WrongDatabase):
        delete_orphans(find_orphans())
    assert all(default_storage.exists(name) for name in lost)
    assert delete_orphans(find_orphans(), anyway=True) == 21


def test_the_job_says_so_to_a_supervisor() -> None:
    share = timezone.now().hour
    folder = next(f"{number:02x}" for number in range(256) if crc32(f"{number:02x}".encode()) % SHARES == share)
    for number in range(21):
        stored(f"attachments/{folder}/00/{number}")
    with pytest.raises(JobFailed, match="sweepfiles --dry-run"):
        sweep_share(Job(kind="sweep_files"))


def test_the_command_names_what_it_would_delete_and_then_deletes_it(ticket: Ticket) -> None:
    lost = stored()
    attached(ticket, stored())
    printed = StringIO()
    call_command("sweepfiles", dry_run=True, stdout=printed)
    assert printed.getvalue().splitlines() == [lost, "1 of 2 files are named by no row."]
    assert default_storage.exists(lost)
    call_command("sweepfiles", stdout=printed)
    assert not default_storage.exists(lost)


def test_the_command_refuses_what_is_too_much() -> None:
    for _ in range(21):
        stored()
    with pytest.raises(CommandError, match="--anyway"):
        call_command("sweepfiles", stdout=StringIO())


def test_a_storage_that_cannot_list_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stored()

    def cannot(path: str) -> None:
        raise NotImplementedError

    monkeypatch.setattr(default_storage, "listdir", cannot)
    assert find_orphans().looked_at == 0


def test_a_file_a_restore_finds_in_its_place_counts_as_new(ticket: Ticket, tmp_path: Path) -> None:
    """The restore's rows are not committed yet, and meanwhile no row names it."""
    name = stored(days=30)
    attachment = attached(ticket, name)
    made = back_up(tmp_path / "one.tar.gz")
    Attachment.objects.filter(pk=attachment.pk).update(file="", state=AttachmentState.FAILED)
    assert find_orphans().orphans == [name]
    restore(made.path, replace=True)
    Attachment.objects.filter(pk=attachment.pk).update(file="", state=AttachmentState.FAILED)
    assert find_orphans().orphans == []


def test_a_crash_between_file_and_row_leaves_what_the_sweep_takes(ticket: Ticket) -> None:
    upload = operations.Upload(name="акт.pdf", file=ContentFile(b"%PDF-1.4", name="x"))
    name = default_storage.save(attachment_path(None, ""), upload.file)  # and here the process was killed
    assert find_orphans().orphans == []
    yesterday = time.time() - 1.1 * DAY
    os.utime(default_storage.path(name), (yesterday, yesterday))
    assert find_orphans().orphans == [name]
