"""Small stills of pictures: made behind the scenes, of pixels alone, and never at the cost of anything else."""

import io
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from conftest import wrote
from tickets import operations, pictures
from tickets.models import Attachment, ThumbnailState
from tickets.operations import Incoming, IncomingFile, JobFailed, thumbnails

RED, BLUE = (220, 30, 30), (30, 30, 220)
LIES_ON_ITS_RIGHT = 6  # EXIF 2.32, "Orientation": the first row of pixels is the right side
SECRET = "Almaty-Abai-17"


def picture(form: str = "JPEG", size: tuple[int, int] = (1600, 1000), **options) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def png_that_claims(width: int, height: int, rows: int = 10) -> bytes:
    """A PNG of few bytes with a header of its own mind (PNG, "IHDR"), and so many rows of black."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    press = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    pixels = b"".join(press.compress(row) for _ in range(rows)) + press.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def exif() -> Image.Exif:
    """What a telephone writes: it was held upright, and where."""
    told = Image.Exif()
    told[0x0112] = LIES_ON_ITS_RIGHT
    told[0x010E] = SECRET  # ImageDescription
    told[0x8825] = {1: "N", 2: (43.0, 14.0, 0.0), 3: "E", 4: (76.0, 56.0, 0.0)}  # GPS
    return told


@pytest.fixture
def keep(ticket):
    """A file of the customer's, fetched: `keep(bytes, "photo")`."""

    def store(content: bytes, kind: str = "photo", **said) -> Attachment:
        file = IncomingFile(kind=kind, file_name="файл", **said)
        incoming = Incoming(sent_at=timezone.now(), content_type=kind, files=[file])
        message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
        return operations.attach_file(attachment_id=message.attachments.get().pk, file=ContentFile(content, name="x"))

    return store


def still_of(attachment: Attachment) -> Image.Image:
    attachment.refresh_from_db()
    assert attachment.thumbnail_state == ThumbnailState.MADE
    with attachment.thumbnail.open() as file:
        return Image.open(io.BytesIO(file.read()))


@pytest.mark.parametrize("kind", ["photo", "document"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_gets_a_small_still(keep, form, kind):
    attachment = keep(picture(form), kind)
    assert operations.make_thumbnails() == 1
    still = still_of(attachment)
    assert (still.format, still.size) == ("WEBP", (640, 400))
    assert (attachment.width, attachment.height) == (1600, 1000)
    red, green, _blue = still.convert("RGB").getpixel((100, 200))
    assert red > 180
    assert green < 90


def test_a_small_picture_is_not_made_larger(keep):
    attachment = keep(picture("PNG", (30, 20)))
    operations.make_thumbnails()
    assert still_of(attachment).size == (30, 20)


def test_what_is_transparent_stays_so(keep):
    target = io.BytesIO()
    Image.new("RGBA", (900, 900), (0, 0, 0, 0)).save(target, "PNG")
    attachment = keep(target.getvalue())
    operations.make_thumbnails()
    assert still_of(attachment).getpixel((5, 5))[3] == 0


def test_it_stands_upright_and_does_not_say_where_it_was_taken(keep):
    whole = picture(exif=exif(), comment=SECRET.encode())
    assert SECRET.encode() in whole
    attachment = keep(whole, width=1600, height=1000)
    operations.make_thumbnails()
    still = still_of(attachment)
    assert still.size == (400, 640)
    assert (attachment.width, attachment.height) == (1000, 1600)
    # The left half has come to lie on top.
    (above, *_rest), (below, *_more) = (still.convert("RGB").getpixel((200, y)) for y in (50, 590))
    assert above > 180
    assert below < 90
    assert not still.info.keys() & {"exif", "xmp", "icc_profile", "comment"}
    with attachment.thumbnail.open() as file:
        assert SECRET.encode() not in file.read()


@pytest.mark.parametrize(
    "content",
    [png_that_claims(50_000, 50_000), png_that_claims(7100, 7100), picture()[:9000], b"\xff\xd8\xff<html>"],
    ids=["bomb", "over the cap", "truncated", "broken"],
)
def test_what_cannot_be_read_is_tried_once_and_shown_whole(desk, aigerim, ticket, keep, content):
    attachment = keep(content)
    assert operations.make_thumbnails() == 0
    attachment.refresh_from_db()
    assert (attachment.thumbnail_state, attachment.thumbnail.name) == (ThumbnailState.REFUSED, "")
    assert not Attachment.objects.without_thumbnail().exists()
    text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
    assert f'<img src="{reverse("tickets:file", args=[ticket.pk, attachment.pk])}"' in text


#: Runs the program and says how much memory it has taken at most, in KB.
MEASURED = """
import runpy, sys
try:
    runpy.run_path(sys.argv[1], run_name="__main__")
except SystemExit as end:
    print(end.code, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_the_pixels_of_a_bomb_are_never_decoded():
    """Decoded, this one of some 700 KB would take 200 MB."""
    bomb = png_that_claims(7100, 7100, rows=7100)
    program = [sys.executable, "-I", "-c", MEASURED, pictures.__file__]
    code, kilobytes = subprocess.run(program, input=bomb, capture_output=True, check=True).stdout.split()
    assert int(code) == pictures.UNREADABLE
    assert int(kilobytes) < 60 * 1024


@pytest.mark.parametrize(
    ("content", "kind"), [(b"%PDF-1.4", "document"), (picture("WEBP"), "sticker"), (b"<html>", "photo")]
)
def test_what_is_no_picture_of_that_kind_is_looked_at_once(keep, content, kind):
    attachment = keep(content, kind)
    assert operations.make_thumbnails() == 0
    attachment.refresh_from_db()
    assert attachment.thumbnail_state == ThumbnailState.NEEDLESS


def test_a_managers_picture_gets_one_too(ticket, aigerim, answer):
    upload = operations.Upload(name="экран.png", file=ContentFile(picture("PNG"), name="x"))
    message = answer(ticket, aigerim, "Вот так", uploads=[upload])
    assert operations.make_thumbnails() == 1
    assert still_of(message.attachments.get()).size == (640, 400)


def test_a_file_that_has_not_come_yet_waits(keep, ticket):
    incoming = Incoming(sent_at=timezone.now(), content_type="photo", files=[IncomingFile(kind="photo")])
    message = operations.receive(customer=ticket.customer, incoming=incoming, ticket=ticket).message
    assert operations.make_thumbnails() == 0
    assert message.attachments.get().thumbnail_state is None


def test_old_pictures_come_slowly_behind_new_ones(keep, monkeypatch):
    monkeypatch.setattr(thumbnails, "MADE_AT_MOST", 1)
    old, new = keep(picture()), keep(picture())
    assert operations.make_thumbnails() == 1
    assert list(Attachment.objects.without_thumbnail()) == [old]
    assert operations.make_thumbnails() == 1
    assert still_of(old).size == still_of(new).size


def test_a_picture_another_worker_has_made_small_meanwhile_leaves_nothing_behind(keep, media_root):
    slow = keep(picture())
    operations.make_thumbnails()
    there = set((media_root / "thumbnails").rglob("*"))
    assert thumbnails._make(slow) is False  # it still holds the row as it was
    assert {path for path in set((media_root / "thumbnails").rglob("*")) - there if path.is_file()} == set()


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (f"os.kill(os.getpid(), {signal.SIGTERM:d})", "не работает"),
        ("import no_such_package", "No module named 'no_such_package'"),
    ],
)
def test_what_is_not_the_pictures_fault_is_tried_again(keep, monkeypatch, tmp_path: Path, ending, told):
    program = tmp_path / "program.py"
    program.write_text(f"import os\n{ending}\n")
    attachment = keep(picture())
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "__file__", str(program))
        with pytest.raises(JobFailed, match=told):
            operations.make_thumbnails()
    assert operations.make_thumbnails() == 1
    assert still_of(attachment)


def test_a_decoder_that_never_ends_is_ended(keep, monkeypatch, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text("import signal\nsignal.pause()\n")
    keep(picture())
    monkeypatch.setattr(pictures, "__file__", str(program))
    monkeypatch.setattr(thumbnails, "PATIENCE", 0.2)
    with pytest.raises(JobFailed, match="Машина слишком занята"):
        operations.make_thumbnails()


def test_a_decoder_that_is_taken_over_finds_no_secret_of_ours(keep, monkeypatch, tmp_path: Path):
    program, found = tmp_path / "program.py", tmp_path / "found"
    program.write_text(f"import os, sys\nopen({str(found)!r}, 'w').write(str(os.environ))\nsys.exit(1)\n")
    keep(picture())
    monkeypatch.setattr(pictures, "__file__", str(program))
    monkeypatch.setenv("SECRET_KEY", "whispered")
    with pytest.raises(JobFailed):
        operations.make_thumbnails()
    assert "environ" in found.read_text()
    assert "whispered" not in found.read_text()


def test_a_decoder_that_breaks_takes_only_itself_with_it(keep, monkeypatch, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(f"import os\nos.kill(os.getpid(), {signal.SIGSEGV:d})\n")
    attachment = keep(picture())
    monkeypatch.setattr(pictures, "__file__", str(program))
    assert operations.make_thumbnails() == 0
    attachment.refresh_from_db()
    assert attachment.thumbnail_state == ThumbnailState.REFUSED


def test_a_full_disk_is_told_and_the_picture_waits(keep, monkeypatch):
    attachment = keep(picture())

    def full(*_args: object, **_options: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "save", full)
        with pytest.raises(JobFailed, match="No space left"):
            operations.make_thumbnails()
    assert list(Attachment.objects.without_thumbnail()) == [attachment]


def test_a_picture_that_came_anew_gets_a_still_anew(keep):
    attachment = keep(picture()[:9000])
    operations.make_thumbnails()
    operations.attach_file(attachment_id=attachment.pk, file=ContentFile(picture(), name="x"))
    assert operations.make_thumbnails() == 1


class TestOnThePage:
    def test_the_still_is_shown_and_leads_to_the_whole(self, desk, aigerim, ticket, keep):
        attachment = keep(picture())
        operations.make_thumbnails()
        text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
        whole, still = (reverse(f"tickets:{name}", args=[ticket.pk, attachment.pk]) for name in ("file", "thumbnail"))
        shown = text[text.index(f'id="m{attachment.message_id}"') :]
        shown = shown[: shown.index("</li>")]
        assert f'<a href="{whole}" target="_blank"' in shown
        assert f'<img src="{still}" alt="" loading="lazy" width="1600" height="1000">' in shown
        assert f'<img src="{whole}"' not in text

    def test_until_then_the_whole_is_shown(self, desk, aigerim, ticket, keep):
        attachment = keep(picture(), width=1600, height=1000)
        text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
        whole = reverse("tickets:file", args=[ticket.pk, attachment.pk])
        assert f'<img src="{whole}" alt="" loading="lazy" width="1600" height="1000">' in text

    def test_a_picture_sent_as_a_file_stays_a_card_with_the_still_on_it(self, desk, aigerim, ticket, keep):
        attachment = keep(picture(), "document")
        operations.make_thumbnails()
        text = desk(aigerim).get(reverse("tickets:ticket", args=[ticket.pk])).text
        whole, still = (reverse(f"tickets:{name}", args=[ticket.pk, attachment.pk]) for name in ("file", "thumbnail"))
        assert f'<div class="file"><a class="ico" href="{whole}" target="_blank"' in text
        assert f'<img src="{still}"' in text
        assert f'<a class="fn" href="{whole}?download" download>' in text

    def test_it_is_served_as_a_picture_and_nothing_else(self, desk, bolat, ticket, keep):
        attachment = keep(picture())
        operations.make_thumbnails()
        answer = desk(bolat).get(reverse("tickets:thumbnail", args=[ticket.pk, attachment.pk]))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert int(answer.headers["Content-Length"]) < attachment.size

    def test_a_stranger_gets_404_and_so_does_who_asks_on_another_ticket(self, desk, dana, aigerim, timur, ticket, keep):
        attachment = keep(picture())
        operations.make_thumbnails()
        assert desk(dana).get(reverse("tickets:thumbnail", args=[ticket.pk, attachment.pk])).status_code == 404
        other = wrote(timur, "Другой вопрос").ticket
        assert desk(aigerim).get(reverse("tickets:thumbnail", args=[other.pk, attachment.pk])).status_code == 404

    def test_where_there_is_none_there_is_404(self, desk, aigerim, ticket, keep):
        attachment = keep(picture())
        assert desk(aigerim).get(reverse("tickets:thumbnail", args=[ticket.pk, attachment.pk])).status_code == 404


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_how_large_a_picture_is_stands_in_its_header(form):
    assert pictures.size_of(io.BytesIO(picture(form))) == (1600, 1000)
    assert pictures.size_of(io.BytesIO(picture(form, exif=exif()))) == (1000, 1600)


def test_of_a_header_nobody_can_read_nothing_is_said():
    assert pictures.size_of(io.BytesIO(b"\x89PNG\r\n\x1a\nx")) is None
    assert pictures.size_of(io.BytesIO(png_that_claims(50_000, 50_000))) == (50_000, 50_000)
