"""What a file is, told from its first bytes: names and types from outside are claims."""

from django.conf import settings

from tickets.models import Attachment, AttachmentState, ContentType

MEGABYTE = 1024 * 1024
HEAD_BYTES = 64
MAX_FILES = 10
MAX_PHOTO = 10 * MEGABYTE  # Bot API, "Sending files": photos, up to 10 MB
#: What a message's files may always have together: ten of the largest that Telegram's own server takes.
MAX_FILES_MB = MAX_FILES * 50

#: Bot API, "sendPhoto": width and height must not exceed 10000 in total, their ratio must be at most 20.
MAX_PHOTO_SIDES = 10_000
MAX_PHOTO_RATIO = 20

UNKNOWN_TYPE = "application/octet-stream"
PDF = "application/pdf"
#: What stills of pictures are made as (`tickets.pictures`).
THUMBNAIL_TYPE = "image/webp"

# The only types a browser may show inside our pages; everything else is downloaded.
INLINE_TYPES = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/gif",
        "video/mp4",
        "video/webm",
        "audio/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/wav",
        "audio/flac",
    }
)

_KINDS = {
    "image/jpeg": ContentType.PHOTO,
    "image/png": ContentType.PHOTO,
    "image/webp": ContentType.PHOTO,
    "video/mp4": ContentType.VIDEO,
    "audio/ogg": ContentType.VOICE,
    "audio/mpeg": ContentType.AUDIO,
}

#: Pictures in the container of MP4, which neither a browser nor Telegram plays or shows: HEIC, AVIF, raw ones (ISO
#: 23008-12, "Brands").
_STILLS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis", b"crx ")


def max_upload() -> int:
    """Bytes of the largest file a customer can be sent."""
    return int(settings.TELEGRAM_UPLOAD_MB) * MEGABYTE


def max_download() -> int:
    """Bytes of the largest file of a customer's that can be had of Telegram."""
    return int(settings.TELEGRAM_DOWNLOAD_MB) * MEGABYTE


def can_be_asked_for_again(attachment: Attachment) -> bool:
    """Whether Telegram may yet give a customer's file: it failed, it went, or it is too big no more."""
    if attachment.state == AttachmentState.TOO_BIG:
        return attachment.size is not None and 0 < attachment.size <= max_download()
    return attachment.state in (AttachmentState.FAILED, AttachmentState.GONE) or attachment.is_lost


def max_files_mb() -> int:
    """Megabytes of a message's files together."""
    return max(MAX_FILES_MB, settings.TELEGRAM_UPLOAD_MB)


def max_form() -> int:
    """Bytes of a form with a message and its files."""
    return (max_files_mb() + 1) * MEGABYTE


def sniff(head: bytes) -> str:
    """The media type of a file that begins with `head` (64 bytes suffice), `UNKNOWN_TYPE` where it is none of ours."""
    signatures = (
        (head.startswith(b"\xff\xd8\xff"), "image/jpeg"),
        (head.startswith(b"\x89PNG\r\n\x1a\n"), "image/png"),
        (head.startswith((b"GIF87a", b"GIF89a")), "image/gif"),
        (head[:4] == b"RIFF" and head[8:12] == b"WEBP", "image/webp"),
        (head[:4] == b"RIFF" and head[8:12] == b"WAVE", "audio/wav"),
        (head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"M4B"), "audio/mp4"),
        (head[4:8] == b"ftyp" and head[8:12] not in _STILLS, "video/mp4"),
        # The same head as any Matroska's, which no browser shows.
        (head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head, "video/webm"),
        (head.startswith(b"OggS"), "audio/ogg"),
        (head.startswith(b"fLaC"), "audio/flac"),
        (head.startswith(b"ID3") or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"), "audio/mpeg"),
        (head.startswith(b"%PDF-"), PDF),
    )
    return next((media_type for matches, media_type in signatures if matches), UNKNOWN_TYPE)


_SOUNDS = frozenset({ContentType.VOICE, ContentType.AUDIO})


def can_travel_as(kind: ContentType, media_type: str, size: int, sides: tuple[int, int] | None = None) -> bool:
    """Whether Telegram takes such a file as this kind: anything as a document, a sound as voice or audio."""
    fitting = kind_for(media_type, size, sides)
    return kind in (fitting, ContentType.DOCUMENT) or {kind, fitting} <= _SOUNDS


def kind_for(media_type: str, size: int, sides: tuple[int, int] | None = None) -> ContentType:
    """How Telegram should carry a file: a picture, a video or a sound where it is one, else a document.

    `sides` are a picture's, in pixels, where they are known.
    """
    kind = _KINDS.get(media_type, ContentType.DOCUMENT)
    if kind == ContentType.PHOTO and (size > MAX_PHOTO or not _fits_photo(sides)):
        return ContentType.DOCUMENT
    return kind


def is_photo(media_type: str) -> bool:
    """Whether it could travel as a photo, as far as its type goes."""
    return _KINDS.get(media_type) == ContentType.PHOTO


def _fits_photo(sides: tuple[int, int] | None) -> bool:
    return sides is None or (sum(sides) <= MAX_PHOTO_SIDES and max(sides) <= MAX_PHOTO_RATIO * min(sides))
