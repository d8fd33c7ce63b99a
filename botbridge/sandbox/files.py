"""Files as Telegram keeps them: an id for each, a path to fetch it by, and what its kind says about it."""

import json
import mimetypes
import re
import secrets
import shutil
import struct
from dataclasses import dataclass
from typing import IO, Any

from botbridge.sandbox.errors import BotApiError, bad_request
from botbridge.sandbox.state import State

Json = dict[str, Any]

MEGABYTE = 1024 * 1024
MAX_DOWNLOAD = 20 * MEGABYTE  # Bot API, getFile: "bots can download files of up to 20MB in size"
MAX_UPLOAD = 50 * MEGABYTE  # Bot API, "Sending files": 10 MB for photos, 50 MB for other files
MAX_LOCALLY = 2000 * MEGABYTE  # Bot API, "Using a Local Bot API Server"; this one lets download no more either
MAX_PHOTO = 10 * MEGABYTE
MAX_PHOTO_SIDES = 10_000  # Bot API, sendPhoto: "width and height must not exceed 10000 in total"
MAX_PHOTO_RATIO = 20
THUMBNAIL_SIDE = 320

FOLDERS = {
    "photo": "photos",
    "video": "videos",
    "document": "documents",
    "voice": "voice",
    "audio": "music",
    "sticker": "stickers",
}
DEFAULT_TYPES = {"video": "video/mp4", "voice": "audio/ogg", "audio": "audio/mpeg"}


@dataclass(frozen=True)
class Upload:
    """A file that came with a request: an open file, its name and the type its sender names."""

    content: IO[bytes]
    name: str
    mime_type: str

    @property
    def size(self) -> int:
        return self.content.seek(0, 2)

    def head(self) -> bytes:
        self.content.seek(0)
        return self.content.read(64 * 1024)


class Files:
    """The files of all bots, on disk under the state's folder."""

    def __init__(self, state: State, *, local: bool = False) -> None:
        """`local`: as a server run with --local does, tell where a file lies on disk instead of serving it."""
        self._state = state
        self._folder = (state.folder / "files").resolve()
        self._local = local
        self._max_download, self._max_upload = (MAX_LOCALLY, MAX_LOCALLY) if local else (MAX_DOWNLOAD, MAX_UPLOAD)

    def receive_upload(self, bot_id: int, kind: str, upload: Upload, facts: Json) -> Json:
        """Keeps a bot's upload. Raises 400 or 413 as Telegram does for an empty, too big or unreadable one."""
        size = upload.size
        if size == 0:
            raise bad_request("file must be non-empty")
        if kind == "photo" and size > MAX_PHOTO:
            raise bad_request(
                f"file of size {size} bytes is too big for a photo; the maximum size is {MAX_PHOTO} bytes"
            )
        if size > self._max_upload:
            raise BotApiError(413, "Request Entity Too Large")
        if kind == "photo":
            check_photo(upload.head())
        return self.keep(bot_id, kind, upload, facts)

    def keep(self, bot_id: int, kind: str, upload: Upload, facts: Json) -> Json:
        """Stores a file and returns the media field of its message, say {"photo": [PhotoSize, …]}."""
        name = re.sub(r"[\x00-\x1f/\\]", "_", upload.name).encode("utf-8", "replace").decode()
        path = f"{FOLDERS[kind]}/file_{secrets.token_hex(8)}{_extension(kind, name)}"
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        upload.content.seek(0)
        with target.open("xb") as out:
            shutil.copyfileobj(upload.content, out, MEGABYTE)
        about = {**_about(kind, name, upload), **facts}
        return self.record(bot_id, kind, path, upload.size, about)

    def record(self, bot_id: int, kind: str, path: str, size: int, about: Json) -> Json:
        """Registers a file under a path. A file over Telegram's 20 MB needs no bytes behind it: no bot gets them."""
        if kind != "photo":
            return {kind: self._register(bot_id, kind, path, size, about)}
        # The smaller size is the same bytes under its own ids: it is there so that taking the wrong one shows.
        shrink = min(1.0, THUMBNAIL_SIDE / max(about["width"], about["height"], 1))
        small = {side: max(1, round(about[side] * shrink)) for side in ("width", "height")}
        return {"photo": [self._register(bot_id, kind, path, size, dims) for dims in (small, about)]}

    def _register(self, bot_id: int, kind: str, path: str, size: int, about: Json) -> Json:
        media = {
            **about,
            "file_id": f"{kind[:2].upper()}Q{secrets.token_urlsafe(40)}",
            "file_unique_id": f"AgAD{secrets.token_urlsafe(8)}",
            "file_size": size,
        }
        self._state.db.execute(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?)",
            (media["file_id"], bot_id, kind, path, size, json.dumps(media)),
        )
        return media

    def resend(self, bot_id: int, kind: str, file_id: str) -> Json:
        """The media field for a file sent again. Ids are a bot's own (Bot API, "Sending files")."""
        row = self._state.db.execute(
            "SELECT * FROM file WHERE file_id = ? AND bot_id = ?", (file_id, bot_id)
        ).fetchone()
        if row is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        if row["kind"] != kind:
            raise bad_request(f"can't use file of type {row['kind'].capitalize()} as {kind.capitalize()}")
        media = json.loads(row["body"])
        return {"photo": [media]} if kind == "photo" else {kind: media}

    def describe(self, bot_id: int, file_id: str) -> Json:
        """The answer of getFile. Raises 400 for an unknown file and for one that is too big."""
        row = self._state.db.execute(
            "SELECT * FROM file WHERE file_id = ? AND bot_id = ?", (file_id, bot_id)
        ).fetchone()
        if row is None:
            raise bad_request("invalid file_id")
        if row["size"] > self._max_download:
            raise bad_request("file is too big")
        media = json.loads(row["body"])
        return {key: media[key] for key in ("file_id", "file_unique_id", "file_size")} | {
            "file_path": self._told_path(row["path"])
        }

    def _told_path(self, path: str) -> str:
        return str(self._folder / path) if self._local else path

    def by_path(self, bot_id: int, path: str) -> Any:
        """Where a file that getFile named lies on disk, or None. A local server serves none."""
        if self._local:
            return None
        row = self._state.db.execute(
            "SELECT path FROM file WHERE bot_id = ? AND path = ? AND size <= ?", (bot_id, path, MAX_DOWNLOAD)
        ).fetchone()
        return self._folder / row["path"] if row else None

    def by_id(self, file_id: str) -> Any:
        """Where a file lies on disk, for the chat page, or None for an unknown or an imagined one."""
        row = self._state.db.execute("SELECT path FROM file WHERE file_id = ?", (file_id,)).fetchone()
        found = self._folder / row["path"] if row else None
        return found if found and found.is_file() else None


def _extension(kind: str, name: str) -> str:
    if kind == "photo":
        return ".jpg"
    suffix = re.search(r"\.[A-Za-z0-9]{1,10}$", name)
    return suffix[0].lower() if suffix else {"voice": ".oga", "video": ".mp4", "audio": ".mp3"}.get(kind, "")


def _about(kind: str, name: str, upload: Upload) -> Json:
    """What Telegram tells of a file beside its ids."""
    if kind == "photo":
        width, height = image_size(upload.head()) or (0, 0)
        return {"width": width, "height": height}
    guessed = mimetypes.guess_type(name)[0] or upload.mime_type
    family = DEFAULT_TYPES.get(kind, "")
    mime_type = guessed if not family or guessed.partition("/")[0] == family.partition("/")[0] else family
    about: Json = {"mime_type": mime_type or "application/octet-stream"}
    if kind != "voice":
        about["file_name"] = name
    if kind in {"video", "voice", "audio"}:
        about["duration"] = 0
    if kind == "video":
        about |= {"width": 0, "height": 0}
    return about


def check_photo(head: bytes) -> None:
    """Raises 400 for bytes that Telegram cannot read as a photo, or that are too long or too large."""
    sides = image_size(head)
    if sides is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    if sum(sides) > MAX_PHOTO_SIDES or max(sides) > MAX_PHOTO_RATIO * max(1, min(sides)):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")


def image_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from an image's first bytes, or None: JPEG, PNG, GIF and WebP."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp_size(head)
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(head)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Walks the segments to the frame header: FF C0 to FF CF but for C4, C8 and CC (ITU T.81, B.1.1.3)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def safe_type(head: bytes) -> str | None:
    """The type a browser may show inline, told by the bytes alone; None for everything else."""
    if image_size(head):
        kinds = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png", b"GI": "image/gif", b"RI": "image/webp"}
        return kinds[head[:2]]
    if head[4:8] == b"ftyp":
        return "audio/mp4" if head[8:11] in {b"M4A", b"M4B"} else "video/mp4"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    for magic, name in ((b"OggS", "audio/ogg"), (b"ID3", "audio/mpeg"), (b"\x1aE\xdf\xa3", "video/webm")):
        if head.startswith(magic):
            return name
    return "audio/mpeg" if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0 else None
