"""Files a person attaches: checked, told by their bytes, and on disk before the ticket is locked."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils.translation import gettext_lazy as _

from tickets import pictures
from tickets.files import HEAD_BYTES, MAX_FILES, can_travel_as, is_photo, kind_for, max_upload, sniff
from tickets.formatting import Formatted
from tickets.models import Attachment, AttachmentState, ContentType, Message, attachment_path
from tickets.operations.errors import Invalid
from tickets.text import storable


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file a person attaches. `name` is what the customer will see; the bytes decide what it is.

    `kind` is how it should travel, where somebody chose; the bytes must agree. A picture too large or too long for a
    photo goes as a document unless a photo is what somebody chose.
    """

    name: str
    file: "File[bytes]"
    kind: ContentType | None = None

    @property
    def size(self) -> int:
        return int(self.file.size)


@dataclass(frozen=True)
class StoredFile:
    """An upload in its final place."""

    path: str
    name: str
    media_type: str
    size: int
    digest: str
    kind: ContentType
    #: A picture's width and height, where they were asked for.
    sides: pictures.Size | None = None


@dataclass
class StoredFiles:
    """Uploads on disk that no row names yet: removed again unless a message takes them."""

    files: list[StoredFile] = field(default_factory=list)
    taken: bool = False

    @property
    def content_type(self) -> ContentType:
        return self.files[0].kind if self.files else ContentType.TEXT

    def attach_to(self, message: Message) -> None:
        for position, stored in enumerate(self.files):
            width, height = stored.sides or (None, None)
            Attachment.objects.create(
                message=message,
                kind=stored.kind,
                position=position,
                file=stored.path,
                file_name=stored.name,
                sniffed_type=stored.media_type,
                size=stored.size,
                digest=stored.digest,
                width=width,
                height=height,
                state=AttachmentState.READY,
            )
        self.taken = True


def check_uploads(uploads: Sequence[Upload]) -> None:
    """Refuse what Telegram would refuse, in words.

    :raises Invalid: too many files, one too big, or an empty one.
    """
    if len(uploads) > MAX_FILES:
        raise Invalid("files", _("Не больше {limit} файлов в одном сообщении.").format(limit=MAX_FILES))
    for upload in uploads:
        if upload.size > max_upload():
            words = _("Файл «{name}» больше {limit} МБ, Telegram его не примет. Сожмите его или пришлите ссылкой.")
            raise Invalid("files", words.format(name=upload.name, limit=settings.TELEGRAM_UPLOAD_MB))
        if upload.size == 0:
            raise Invalid("files", _("Файл «{name}» пустой.").format(name=upload.name))


def digest_of(act: str, words: Formatted, uploads: Sequence[Upload], quote_id: int | None) -> str:
    """The fingerprint by which a browser's repeat is told from another message under the same id."""
    look = f"{json.dumps(words.entities, sort_keys=True)}\0" if words.entities else ""
    digest = hashlib.sha256(f"{act}\0{quote_id or ''}\0{words.text}\0{look}".encode())
    for upload in uploads:
        digest.update(f"{upload.name}\0{upload.size}\0".encode())
        for chunk in upload.file.chunks():
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def stored(uploads: Sequence[Upload]) -> Iterator[StoredFiles]:
    """Write the uploads to storage before any row is locked: copying large files must not hold up a ticket.

    What the body does not attach, because it refused or found a repeat, is deleted.
    """
    keeping = StoredFiles()
    committed = False
    try:
        for upload in uploads:
            keeping.files.append(_store(upload))
        yield keeping
        committed = keeping.taken
    finally:
        if not committed:
            for file in keeping.files:
                default_storage.delete(file.path)


def _store(upload: Upload) -> StoredFile:
    """:raises Invalid: its bytes are not of the kind it should travel as."""
    upload.file.seek(0)
    media_type = sniff(upload.file.read(HEAD_BYTES))
    upload.file.seek(0)
    size = upload.size
    may_be_photo = upload.kind in (None, ContentType.PHOTO) and is_photo(media_type)
    sides = pictures.size_of(upload.file) if may_be_photo else None
    if upload.kind is not None and not can_travel_as(upload.kind, media_type, size, sides):
        raise Invalid("mediaType", _unfit(upload, upload.kind, was_photo=may_be_photo))
    kind = upload.kind or kind_for(media_type, size, sides)
    digest = hashlib.sha256()
    for chunk in upload.file.chunks():
        digest.update(chunk)
    path = default_storage.save(attachment_path(None, ""), upload.file)
    return StoredFile(path, storable(upload.name)[:255], media_type, size, digest.hexdigest(), kind, sides)


def _unfit(upload: Upload, kind: ContentType, *, was_photo: bool) -> str:
    if was_photo:
        words = _(
            "Картинку «{name}» Telegram не возьмёт как фото: она больше 10 МБ, слишком большая (ширина и высота вместе "
            "больше 10000) или слишком вытянутая. Отправьте её файлом."
        )
        return words.format(name=upload.name)
    words = _("Файл «{name}» нельзя отправить как «{kind}»: содержимое не то.")
    return words.format(name=upload.name, kind=kind.label)
