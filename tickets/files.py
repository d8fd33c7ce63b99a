"""What a file is, told from its first bytes: names and types from outside are claims."""

from tickets.models import ContentType

HEAD_BYTES = 64
MAX_FILES = 10
MAX_UPLOAD = 50 * 1024 * 1024  # Bot API, "Sending files": other types of files, up to 50 MB
MAX_PHOTO = 10 * 1024 * 1024  # Bot API, "Sending files": photos, up to 10 MB

UNKNOWN_TYPE = "application/octet-stream"
PDF = "application/pdf"

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


def sniff(head: bytes) -> str:
    """The media type of a file that begins with `head` (64 bytes suffice), `UNKNOWN_TYPE` where it is none of ours."""
    signatures = (
        (head.startswith(b"\xff\xd8\xff"), "image/jpeg"),
        (head.startswith(b"\x89PNG\r\n\x1a\n"), "image/png"),
        (head.startswith((b"GIF87a", b"GIF89a")), "image/gif"),
        (head[:4] == b"RIFF" and head[8:12] == b"WEBP", "image/webp"),
        (head[:4] == b"RIFF" and head[8:12] == b"WAVE", "audio/wav"),
        (head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"M4B"), "audio/mp4"),
        (head[4:8] == b"ftyp", "video/mp4"),
        # The same head as any Matroska's, which no browser shows.
        (head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head, "video/webm"),
        (head.startswith(b"OggS"), "audio/ogg"),
        (head.startswith(b"fLaC"), "audio/flac"),
        (head.startswith(b"ID3") or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"), "audio/mpeg"),
        (head.startswith(b"%PDF-"), PDF),
    )
    return next((media_type for matches, media_type in signatures if matches), UNKNOWN_TYPE)


_SOUNDS = frozenset({ContentType.VOICE, ContentType.AUDIO})


def can_travel_as(kind: ContentType, media_type: str, size: int) -> bool:
    """Whether Telegram takes such a file as this kind: anything as a document, a sound as voice or audio."""
    fitting = kind_for(media_type, size)
    return kind in (fitting, ContentType.DOCUMENT) or {kind, fitting} <= _SOUNDS


def kind_for(media_type: str, size: int) -> ContentType:
    """How Telegram should carry a file: a picture, a video or a sound where it is one, else a document."""
    kind = _KINDS.get(media_type, ContentType.DOCUMENT)
    if kind == ContentType.PHOTO and size > MAX_PHOTO:
        return ContentType.DOCUMENT
    return kind
