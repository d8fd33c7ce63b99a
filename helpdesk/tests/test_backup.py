"""What a backup holds comes back as it was, whole or not at all, and nothing of it leaves a second time."""

import fcntl
import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.conf import LazySettings, settings
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.urls import reverse
from django.utils import timezone

from botbridge.claiming import Pause, claim
from botbridge.models import ChatSession, OutboundCall, Update
from conftest import wrote
from helpdesk.backup import BackupError, Restored, back_up, backup_facts, nightly_backup, restore
from helpdesk.backup.archive import FileLine, FilesEntry, Manifest, opened, written
from helpdesk.backup.snapshot import one_moment
from helpdesk.backup.tables import all_models, tables
from helpdesk.jobs.worker import Worker
from helpdesk.tests.servers import database_url
from tickets import operations
from tickets.models import (
    ApiSession,
    Attachment,
    AttachmentState,
    Change,
    ContentType,
    Customer,
    Decision,
    Delivery,
    DeliveryState,
    Event,
    Job,
    JobState,
    Lane,
    Message,
    Missing,
    Notice,
    Reason,
    Sender,
    Status,
    ThumbnailState,
    Ticket,
    Trouble,
    User,
)

pytestmark = pytest.mark.django_db(transaction=True)

Answer = Callable[..., Message]

BOT = 7_000_000_001
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
AWKWARD = 'Ёлка 🎄 \u2028 «кавычки» \\ "\n\tконец'


KEPT = {
    "tickets.RecoveryCode",
    "tickets.SecondFactor",
    "admin.LogEntry",
    "auth.Group",
    "auth.Group_permissions",
    "auth.Permission",
    "botbridge.AnswerPlace",
    "botbridge.BotStatus",
    "botbridge.ChatSession",
    "botbridge.ForumTopic",
    "botbridge.OutboundCall",
    "botbridge.Outage",
    "botbridge.TelegramFile",
    "botbridge.TelegramMessage",
    "botbridge.Update",
    "contenttypes.ContentType",
    "tickets.Alteration",
    "tickets.ApiAnswer",
    "tickets.Attachment",
    "tickets.Customer",
    "tickets.Delivery",
    "tickets.Draft",
    "tickets.Event",
    "tickets.HiddenCard",
    "tickets.Message",
    "tickets.MessageRevision",
    "tickets.ServiceAccount",
    "tickets.Tag",
    "tickets.Team",
    "tickets.Team_members",
    "tickets.Ticket",
    "tickets.TicketReader",
    "tickets.Ticket_tags",
    "tickets.Topic",
    "tickets.User",
    "tickets.User_groups",
    "tickets.User_user_permissions",
    "tickets.Webhook",
    "tickets.WebhookCall",
}
LEFT_OUT = {
    "axes.AccessAttempt",
    "axes.AccessAttemptExpiration",
    "axes.AccessFailureLog",
    "axes.AccessLog",
    "sessions.Session",
    "tickets.ApiSession",
    "tickets.Change",
    "tickets.Job",
    "tickets.SignIn",
    "tickets.Typing",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "one.tar.gz"


@pytest.fixture
def furnished(ticket: Ticket, aigerim: User, answer: Answer) -> Ticket:
    """A ticket with something of every kind a column may hold."""
    moment = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)
    reply = answer(ticket, aigerim, AWKWARD)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.SENT, parts_sent=1)
    message = Message.objects.create(
        ticket=ticket,
        customer=ticket.customer,
        sender=Sender.CLIENT,
        content_type=ContentType.PHOTO,
        text=AWKWARD,
        entities=[{"b": [1.5, -0.25, -0.0, 1e22, 1e-9, 0.1 + 0.2, None, True], "a": {"ключ": AWKWARD}}],
        quote=reply,
        client_id=uuid.uuid4(),
        sent_at=moment,
    )
    Attachment.objects.create(
        message=message,
        kind=ContentType.PHOTO,
        file=default_storage.save("attachments/aa/bb/picture", ContentFile(PICTURE)),
        state=AttachmentState.READY,
        size=len(PICTURE),
    )
    ChatSession.objects.create(bot_id=BOT, chat_id=700_001, customer=ticket.customer, data={"z": 1, "a": [2**60]})
    Update.objects.create(bot_id=BOT, update_id=1, digest="1", raw='{"text": "\\ud83d"}', chat_id=700_001)
    return ticket


def checksums(manifest: Manifest) -> dict[str, tuple[int, str, int | None]]:
    return {entry.name: (entry.rows, entry.sha256, entry.next_id) for entry in manifest.tables}


def content(tmp_path: Path) -> dict[str, tuple[int, str, int | None]]:
    """What the database holds now, by a backup of it."""
    return checksums(back_up(tmp_path / f"{uuid.uuid4()}.tar.gz").manifest)


def test_rows_files_and_numbers_come_back_as_they_were(furnished: Ticket, archive: Path, tmp_path: Path) -> None:
    made = back_up(archive)
    name = Attachment.objects.get().file.name
    next_ticket = checksums(made.manifest)["tickets.Ticket"][2]
    default_storage.delete(name)
    wrote(furnished.customer, "Напишу после копии")
    Message.objects.filter(sender=Sender.CLIENT).update(text="испорчено")

    restored = restore(archive, replace=True)

    assert restored.sha256 == {entry.name: entry.sha256 for entry in made.manifest.tables}
    assert content(tmp_path) == checksums(made.manifest)
    assert (restored.repaired, restored.doubted, restored.lost) == (0, 0, 0)
    with default_storage.open(name) as file:
        assert file.read() == PICTURE
    assert wrote(furnished.customer, "Новое").ticket.pk == next_ticket
    photo = Message.objects.get(content_type=ContentType.PHOTO)
    assert (photo.text, photo.sent_at.microsecond, photo.entities[0]["a"]) == (AWKWARD, 999_999, {"ключ": AWKWARD})


def test_numbers_once_given_are_not_given_again(free_ticket: Ticket, archive: Path) -> None:
    with transaction.atomic():
        wrote(free_ticket.customer, "Не состоится")
        transaction.set_rollback(True)
    following = checksums(back_up(archive).manifest)["tickets.Ticket"][2]

    restore(archive, replace=True)

    assert wrote(free_ticket.customer, "Следующее").ticket.pk == following


def test_each_table_is_decided_about() -> None:
    """A new one goes into one of the lists when somebody has thought about what its rows do after a restore."""
    assert {table.label for table in tables()} == KEPT
    assert {model._meta.label for model in all_models()} - KEPT == LEFT_OUT


def test_sign_ins_do_not_come_back(ticket: Ticket, aigerim: User, archive: Path) -> None:
    Session.objects.create(session_key="a" * 32, session_data="", expire_date=timezone.now() + timedelta(days=1))
    ApiSession.objects.create(
        user=aigerim, refresh_id="r", auth_hash="h", expires_at=timezone.now() + timedelta(days=1)
    )
    back_up(archive)

    restore(archive, replace=True)

    assert not Session.objects.exists()
    assert not ApiSession.objects.exists()
    assert not Change.objects.exists()
    assert aigerim.check_password("correct-horse-battery")
    assert User.objects.get(pk=aigerim.pk).password == aigerim.password


def test_a_database_in_use_is_not_overwritten_unasked(ticket: Ticket, archive: Path, tmp_path: Path) -> None:
    back_up(archive)
    wrote(ticket.customer, "Ещё вопрос")
    before = content(tmp_path)

    with pytest.raises(BackupError, match=r"in use: .* has rows.*--replace"):
        restore(archive)

    assert content(tmp_path) == before


def test_another_state_of_the_tables_is_refused_with_the_version_to_install(ticket: Ticket, archive: Path) -> None:
    back_up(archive)
    recorder = MigrationRecorder(connection)
    recorder.record_applied("tickets", "0999_of_a_later_version")
    try:
        with pytest.raises(BackupError, match=r"only here: tickets.0999_of_a_later_version.*Install version 0\."):
            restore(archive, replace=True)
    finally:
        recorder.record_unapplied("tickets", "0999_of_a_later_version")

    assert Ticket.objects.filter(pk=ticket.pk).exists()


def test_what_the_version_before_makes_on_the_newer_tables_it_takes_back(
    ticket: Ticket, archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While an upgrade goes on and after it was taken back, older code copies the newer database: docs/upgrade.md."""
    recorder = MigrationRecorder(connection)
    recorder.record_applied("tickets", "0999_of_a_later_version")
    try:
        back_up(archive)
    finally:
        recorder.record_unapplied("tickets", "0999_of_a_later_version")
    assert "tickets.0999_of_a_later_version" in caplog.text

    restore(archive, replace=True)

    assert Ticket.objects.filter(pk=ticket.pk).exists()


def test_a_database_whose_tables_are_older_than_the_program_is_not_copied(ticket: Ticket, archive: Path) -> None:
    recorder = MigrationRecorder(connection)
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("tickets")
    recorder.record_unapplied(app, newest)
    try:
        with pytest.raises(BackupError, match=rf"without tickets\.{newest}\. Make the backup with that version"):
            back_up(archive)
    finally:
        recorder.record_applied(app, newest)

    assert not list(archive.parent.iterdir())


def test_a_database_without_its_tables_is_refused(db: None, archive: Path) -> None:
    back_up(archive)
    recorder = MigrationRecorder(connection)
    ((app, newest),) = MigrationLoader(connection).graph.leaf_nodes("tickets")
    recorder.record_unapplied(app, newest)
    try:
        with pytest.raises(BackupError, match=r"manage\.py migrate first"):
            restore(archive)
    finally:
        recorder.record_applied(app, newest)


def test_a_damaged_archive_is_refused_and_nothing_written(furnished: Ticket, archive: Path, tmp_path: Path) -> None:
    back_up(archive)
    whole, before = archive.read_bytes(), content(tmp_path)
    damaged = [whole[: len(whole) * part // 10] for part in range(10)]
    damaged += [whole[:-1], whole[:-8], whole + b"more", b"no archive at all"]
    for place in range(20, len(whole), len(whole) // 40):
        damaged.append(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])

    for bytes_ in damaged:
        if says_the_same(bytes_, whole):
            continue
        archive.write_bytes(bytes_)
        with pytest.raises(BackupError, match="damaged"):
            restore(archive, replace=True)

    assert content(tmp_path) == before


def says_the_same(damaged: bytes, whole: bytes) -> bool:
    """A few bits carry nothing: some of gzip's header, and where among zeros it repeats zeros from."""
    try:
        return gzip.decompress(damaged) == gzip.decompress(whole)
    except (OSError, EOFError, zlib.error):
        return False


def test_a_row_changed_inside_the_archive_is_noticed(furnished: Ticket, archive: Path, tmp_path: Path) -> None:
    back_up(archive)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "xzf", archive, "-C", unpacked], check=True)
    names = subprocess.run(["tar", "tzf", archive], check=True, capture_output=True, text=True).stdout.split()
    rows = unpacked / "tables" / "tickets.Customer" / "000001.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"timur_a", b"timur_b"))
    subprocess.run(["tar", "czf", archive, "-C", unpacked, *names], check=True)

    with pytest.raises(BackupError, match=r"the rows of tickets\.Customer are not what their checksum says"):
        restore(archive, replace=True)


def forged(archive: Path, *, rows: dict[str, Callable[[bytes], bytes]] | None = None, file: str = "") -> Path:
    """The archive with other rows, or with a file of that name, and with checksums that fit: made by an enemy."""
    edits, target = rows or {}, archive.with_name(f"{uuid.uuid4()}.tar.gz")
    with opened(archive, None) as parts, written(target, "") as writer:
        for part in parts:
            content = part.content()
            label = part.name.rpartition("/")[0]
            if label in edits:
                content = edits[label](content)
                edits[label] = lambda _same, edited=content: edited
            if part.kind == "manifest.json":
                manifest = Manifest.from_json(content)
            elif not file or part.kind == "tables":
                writer.add_bytes(f"{part.kind}/{part.name}", content)
        tables = [
            replace(entry, sha256=hashlib.sha256(edits[entry.name](b"")).hexdigest()) if entry.name in edits else entry
            for entry in manifest.tables
        ]
        files = manifest.files
        if file:
            line = FileLine(file, 3, writer.add_file(file, 3, io.BytesIO(b"bad"))).to_line()
            writer.add_bytes("index/000001.jsonl", line)
            files = FilesEntry(1, 3, 0, hashlib.sha256(line).hexdigest())
        writer.add_bytes("manifest.json", replace(manifest, tables=tables, files=files).to_json())
    return target


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_file_whose_name_leads_elsewhere_is_refused(ticket: Ticket, archive: Path, name: str) -> None:
    back_up(archive)

    with pytest.raises(BackupError, match="leads out of the place for files"):
        restore(forged(archive, file=name), replace=True)

    assert not list(Path(settings.MEDIA_ROOT).parent.rglob("outside"))
    assert Ticket.objects.exists()


@pytest.mark.parametrize(
    ("label", "edit", "said"),
    [
        ("tickets.Customer", lambda rows: rows.replace(b"timur_a", b"t" * 65), "too long"),
        ("tickets.Ticket", lambda rows: rows.replace(b"[", b"[9", 1), "refused it and stays as it was"),
        ("tickets.Customer", lambda rows: rows.replace(b"+00:00", b"+99:00"), "holds what its columns cannot"),
        ("tickets.Customer", lambda rows: rows.replace(b"[", b"[1,", 1), "other columns than the table"),
        ("tickets.Customer", lambda rows: b"nonsense\n", "is not JSON"),
    ],
)
def test_rows_the_database_cannot_take_are_refused_whole(
    ticket: Ticket, archive: Path, tmp_path: Path, label: str, edit: Callable[[bytes], bytes], said: str
) -> None:
    if said == "too long" and connection.vendor == "sqlite":
        pytest.skip("SQLite takes words of any length")
    back_up(archive)
    before = content(tmp_path)

    with pytest.raises(BackupError, match=said):
        restore(forged(archive, rows={label: edit}), replace=True)

    assert content(tmp_path) == before


def test_only_the_private_key_opens_an_encrypted_backup(furnished: Ticket, archive: Path, tmp_path: Path) -> None:
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    key, wrong = tmp_path / "key.txt", tmp_path / "other.txt"
    key.write_text(f"# created: today\n# public key: {own.to_public()}\n{own}\n")
    wrong.write_text(str(other))
    made = back_up(archive, recipient=str(own.to_public()))
    assert b"timur_a" not in archive.read_bytes()

    with pytest.raises(BackupError, match="--identity"):
        restore(archive, replace=True)
    with pytest.raises(BackupError, match="another key"):
        restore(archive, identity=wrong, replace=True)
    with pytest.raises(BackupError, match="holds no age private key"):
        restore(archive, identity=tmp_path / "nowhere", replace=True)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BackupError, match="damaged"):
        restore(archive, identity=key, replace=True)
    archive.write_bytes(whole)

    restored = restore(archive, identity=key, replace=True)
    assert restored.sha256 == {entry.name: entry.sha256 for entry in made.manifest.tables}


def test_a_wrong_public_key_is_refused_before_anything_is_written(archive: Path) -> None:
    with pytest.raises(BackupError, match="no age public key"):
        back_up(archive, recipient="age1nonsense")
    assert not archive.parent.exists()


def test_only_its_owner_reads_a_backup(archive: Path) -> None:
    back_up(archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert list(archive.parent.iterdir()) == [archive]
    with pytest.raises(BackupError, match="exists already"):
        back_up(archive)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(furnished: Ticket, archive: Path) -> None:
    archive.parent.mkdir()
    for options in ([], ["--encrypt-for", str(pyrage.x25519.Identity.generate().to_public())]):
        done = in_process("backup", "--to", str(archive.parent), *options, limit="--fsize=4096")
        assert done.returncode == 1
        assert "The backup cannot be written" in done.stderr
        assert "File too large" in done.stderr
    assert list(archive.parent.iterdir()) == []


def in_process(*arguments: str, limit: str) -> subprocess.CompletedProcess[str]:
    own = {"DATABASE_URL": database_url(), "MEDIA_ROOT": str(settings.MEDIA_ROOT), "LOG_DIR": ""}
    command = ["prlimit", limit, sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=os.environ | own, capture_output=True, text=True, check=False
    )


def test_the_desk_goes_on_while_one_moment_is_read(timur: Customer) -> None:
    def rename() -> None:
        Customer.objects.filter(pk=timur.pk).update(name="Другое имя")
        Customer.objects.create(telegram_user_id=700_002)
        connection.close()

    with one_moment():
        writer = threading.Thread(target=rename)
        writer.start()
        writer.join()
        assert list(Customer.objects.values_list("name", flat=True)) == ["Тимур Ахметов"]
    assert Customer.objects.filter(name="Другое имя").exists()
    assert Customer.objects.count() == 2


def test_a_backup_writes_nothing(timur: Customer) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite knows no read-only transaction")
    with pytest.raises(Exception, match="read-only"), one_moment():
        Customer.objects.update(name="")


def test_the_connection_works_as_before_afterwards(archive: Path) -> None:
    back_up(archive)
    if connection.vendor == "sqlite":
        assert connection.transaction_mode == "IMMEDIATE"  # type: ignore[attr-defined]
    with transaction.atomic(), pytest.raises(BackupError, match="a transaction of its own"):
        back_up(archive.with_name("two"))


def test_a_file_that_is_not_there_is_said_to_be_missing(furnished: Ticket, archive: Path) -> None:
    attachment = Attachment.objects.get()
    default_storage.delete(attachment.file.name)

    made = back_up(archive)
    assert (made.manifest.files.count, made.manifest.files.missing) == (1, 1)

    restored = restore(archive, replace=True)
    attachment.refresh_from_db()
    assert restored.lost == 1
    assert (attachment.state, attachment.reason) == (AttachmentState.FAILED, Missing.NOT_IN_BACKUP)


def test_a_file_that_cannot_be_read_is_named(ticket: Ticket, archive: Path) -> None:
    Path(default_storage.path("attachments/unreadable")).mkdir(parents=True)
    Attachment.objects.create(message=ticket.last_message, kind=ContentType.PHOTO, file="attachments/unreadable")

    with pytest.raises(BackupError, match=r"^The file attachments/unreadable cannot be read: Is a directory\.$"):
        back_up(archive)

    assert not list(archive.parent.iterdir())


def test_a_file_whose_bytes_cannot_be_read_is_named(archive: Path) -> None:
    archive.parent.mkdir()
    memory = Path("/proc/self/mem")
    with pytest.raises(BackupError, match="bad cannot be read"), written(archive, "") as out, memory.open("rb") as bad:
        out.add_file("bad", 3, bad)

    assert not list(archive.parent.iterdir())


def test_a_picture_comes_back_with_its_small_still_and_one_that_is_lost_is_made_anew(
    furnished: Ticket, archive: Path
) -> None:
    attachment = Attachment.objects.get()
    attachment.thumbnail.save("", ContentFile(b"RIFF"), save=False)
    attachment.thumbnail_state = ThumbnailState.MADE
    attachment.save()
    name = attachment.thumbnail.name
    assert back_up(archive).manifest.files.count == 2
    default_storage.delete(name)
    without = back_up(archive.with_name("without.tar.gz"))

    restore(archive, replace=True)
    assert default_storage.exists(name)

    default_storage.delete(name)
    restored = restore(without.path, replace=True)
    attachment.refresh_from_db()
    assert restored.lost == 0
    assert (attachment.state, attachment.thumbnail.name) == (AttachmentState.READY, "")
    assert list(Attachment.objects.without_thumbnail()) == [attachment]


# What waited when the backup was made.


def restored_from(archive: Path) -> Restored:
    back_up(archive)
    return restore(archive, replace=True)


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD])
def test_what_was_to_be_sent_waits_for_a_person_instead(
    ticket: Ticket, aigerim: User, answer: Answer, archive: Path, state: DeliveryState
) -> None:
    reply = answer(ticket, aigerim)
    Delivery.objects.filter(pk=reply.pk).update(state=state)

    restored = restored_from(archive)

    delivery = Delivery.objects.get(pk=reply.pk)
    assert restored.doubted == 1
    assert (delivery.state, delivery.reason) == (DeliveryState.UNKNOWN, Reason.RESTORED)
    assert delivery.needs_decision
    ticket.refresh_from_db()
    assert ticket.trouble == Trouble.UNKNOWN
    assert ticket.events.filter(kind=Event.Kind.DELIVERY, data__state="unknown").count() == 1
    assert isinstance(claim(BOT, "worker"), Pause), "nothing leaves by itself"


def test_the_desk_says_why_it_asks(ticket: Ticket, aigerim: User, answer: Answer, archive: Path, client: Any) -> None:
    answer(ticket, aigerim)
    restored_from(archive)
    client.force_login(aigerim)

    page = client.get(reverse("tickets:ticket", args=[ticket.pk])).content.decode()

    assert "Восстановлено из резервной копии: могло уйти после неё" in page
    assert "Telegram не ответил" not in page


def test_a_person_decides_about_a_restored_reply(ticket: Ticket, aigerim: User, answer: Answer, archive: Path) -> None:
    reply = answer(ticket, aigerim)
    restored_from(archive)

    operations.mark_arrived(message_id=reply.pk, actor=aigerim)

    assert Delivery.objects.get(pk=reply.pk).decision == Decision.ARRIVED


def test_of_a_restored_reply_that_arrived_no_part_leaves_again(
    ticket: Ticket, aigerim: User, answer: Answer, archive: Path
) -> None:
    reply = answer(ticket, aigerim, "Пункт договора. " * 800)
    restored_from(archive)

    operations.mark_arrived(message_id=reply.pk, actor=aigerim)

    assert Delivery.objects.get(pk=reply.pk).state == DeliveryState.UNKNOWN
    assert isinstance(claim(BOT, "worker"), Pause)


def test_what_waits_with_a_doubted_reply_is_taken_back_as_ever(
    ticket: Ticket, aigerim: User, answer: Answer, archive: Path
) -> None:
    answer(ticket, aigerim)
    operations.resolve(ticket_id=ticket.pk, actor=aigerim)
    notice = Delivery.objects.get(message__notice=Notice.SOLVED)

    restored_from(archive)

    ticket.refresh_from_db()
    notice.refresh_from_db()
    assert ticket.status == Status.OPEN, "an answer that may not have come is no solution"
    assert notice.state == DeliveryState.CANCELLED


def test_what_was_settled_stays_settled(ticket: Ticket, aigerim: User, answer: Answer, archive: Path) -> None:
    reply = answer(ticket, aigerim)
    operations.settle(delivery_id=reply.pk, state=DeliveryState.SENT, parts_sent=1)

    assert restored_from(archive).doubted == 0
    assert Delivery.objects.get(pk=reply.pk).state == DeliveryState.SENT


def test_the_bots_own_sentences_and_calls_are_not_repeated(ticket: Ticket, archive: Path) -> None:
    said = operations.say(customer=ticket.customer, notice=Notice.RECEIPT, text="Принято", ticket=ticket)
    press = OutboundCall.objects.create(bot_id=BOT, chat_id=1, method="answerCallbackQuery", lane=Lane.ANSWER)
    part = OutboundCall.objects.create(
        bot_id=BOT,
        chat_id=700_001,
        delivery_id=said.pk,
        method="sendMessage",
        lane=Lane.RECEIPT,
        state=DeliveryState.SENDING,
        lease_until=timezone.now(),
    )

    restored_from(archive)

    press.refresh_from_db()
    part.refresh_from_db()
    assert (press.state, part.state) == (DeliveryState.CANCELLED, DeliveryState.UNKNOWN)
    assert Delivery.objects.get(pk=said.pk).state == DeliveryState.UNKNOWN
    assert not Delivery.objects.get(pk=said.pk).needs_decision
    assert isinstance(claim(BOT, "worker"), Pause)


def test_what_a_customer_wrote_and_nobody_had_handled_is_still_to_be_handled(furnished: Ticket, archive: Path) -> None:
    restored_from(archive)
    assert Update.objects.get().state == Update.State.STORED


# Every night.


@pytest.fixture
def nights(settings: LazySettings, tmp_path: Path, db: None) -> Path:
    settings.BACKUP_DIR = tmp_path / "nights"
    settings.BACKUP_KEEP = 3
    return tmp_path / "nights"


def night(number: int) -> datetime:
    return datetime(2026, 11, number, 20, 30, tzinfo=UTC)  # already the next day in Almaty


def test_a_night_has_one_backup(nights: Path) -> None:
    made = nightly_backup(now=night(4))
    assert made is not None
    assert made.name == "helpdesk-nightly-20261105.tar.gz"
    assert nightly_backup(now=night(4) + timedelta(hours=2)) is None
    assert list(nights.glob("*.gz")) == [made]


def test_the_last_ones_are_kept_and_those_made_by_hand_too(nights: Path) -> None:
    nights.mkdir()
    (nights / "helpdesk-20200101T000000Z.tar.gz").touch()
    for number in range(1, 7):
        nightly_backup(now=night(number))

    assert sorted(path.name for path in nights.glob("*.gz")) == [
        "helpdesk-20200101T000000Z.tar.gz",
        "helpdesk-nightly-20261105.tar.gz",
        "helpdesk-nightly-20261106.tar.gz",
        "helpdesk-nightly-20261107.tar.gz",
    ]


def test_what_a_killed_process_left_does_not_stop_the_next(nights: Path) -> None:
    nights.mkdir()
    (nights / ".helpdesk-nightly-20261105.tar.gz.partial").write_bytes(b"half")
    assert nightly_backup(now=night(4)) is not None
    assert not list(nights.glob(".*partial"))


def test_what_is_being_made_by_hand_is_let_be(nights: Path) -> None:
    nights.mkdir()
    growing, abandoned = nights / ".helpdesk-1.tar.gz.partial", nights / ".helpdesk-2.tar.gz.partial"
    growing.touch()
    abandoned.touch()
    os.utime(abandoned, (0, 0))
    nightly_backup(now=night(4))
    assert growing.exists()
    assert not abandoned.exists()


def test_two_processes_make_one(nights: Path) -> None:
    nights.mkdir()
    with (nights / ".nightly.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert nightly_backup(now=night(4)) is None
    assert nightly_backup(now=night(4)) is not None


class SlowStorage(FileSystemStorage):
    """Opens a file when it may."""

    def __init__(self, asked: threading.Event, may_open: threading.Event) -> None:
        super().__init__()
        self._asked, self._may_open = asked, may_open

    def _open(self, name: str, mode: str = "rb") -> Any:
        self._asked.set()
        assert self._may_open.wait(20)
        return super()._open(name, mode)


def test_one_that_takes_long_stays_its_workers_and_so_its_failure_is_told(
    nights: Path, ticket: Ticket, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpdesk.backup.nightly.KEEP_EVERY", 0.01)
    file = default_storage.save("attachments/photo.jpg", ContentFile(b"x"))
    Attachment.objects.create(message=ticket.last_message, kind=ContentType.PHOTO, file=file)
    asked, may_open = threading.Event(), threading.Event()
    slow = {"BACKEND": f"{__name__}.SlowStorage", "OPTIONS": {"asked": asked, "may_open": may_open}}
    settings.STORAGES = {**settings.STORAGES, "default": slow}
    operations.add_job(kind="nightly_backup")
    job = operations.claim_job(leases={"nightly_backup": timedelta(0)}, worker="one")
    assert job is not None
    assert job.due_at is not None

    def make() -> None:
        try:
            Worker().do(job)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        try:
            assert asked.wait(20)
            deadline = time.monotonic() + 10
            while not Job.objects.filter(due_at__gt=job.due_at + timedelta(minutes=2)).exists():
                assert time.monotonic() < deadline, "nobody keeps the lease"
            assert operations.claim_job(leases={"nightly_backup": timedelta(0)}, worker="two") is None
            nights.rename(nights.with_name("pulled out"))
        finally:
            may_open.set()
        making.result()

    job.refresh_from_db()
    assert "cannot be written" in job.error
    assert (job.state, job.attempts) == (JobState.WAITING, 1)


def test_nightly_backups_can_be_left_to_others(nights: Path, settings: LazySettings) -> None:
    settings.BACKUP_KEEP = 0
    assert nightly_backup(now=night(4)) is None
    assert not nights.exists()


def test_nightly_backups_are_encrypted_for_the_set_key(nights: Path, settings: LazySettings) -> None:
    settings.BACKUP_RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
    made = nightly_backup(now=night(4))
    assert made is not None
    assert made.name.endswith(".tar.gz.age")
    assert made.read_bytes().startswith(b"age-encryption.org/v1")


def test_how_old_the_last_backup_is(nights: Path) -> None:
    assert backup_facts() == {"last_backup_age": None, "last_backup_bytes": None, "free_bytes": None}
    made = nightly_backup(now=night(4))
    assert made is not None
    facts = backup_facts()
    assert facts["last_backup_age"] < 60
    assert facts["last_backup_bytes"] == made.stat().st_size
    assert facts["free_bytes"] > 0


# The commands.


def test_the_commands_say_what_they_did(furnished: Ticket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("backup", to=tmp_path)
    (made,) = tmp_path.glob("helpdesk-*.tar.gz")
    told = capsys.readouterr().out
    assert "1  files" in told
    assert "It is not encrypted" in told
    with pytest.raises(CommandError, match="in use"):
        call_command("restore", made)

    call_command("restore", made, replace=True)
    told = capsys.readouterr().out
    assert "tickets.Ticket, equal" in told
    assert "Everybody signs in anew" in told
