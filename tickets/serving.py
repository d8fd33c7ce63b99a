"""How a file of a conversation leaves: harmless types in place, all else as a download, pieces for players."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import BinaryIO

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, quote_etag

from tickets.files import INLINE_TYPES, THUMBNAIL_TYPE, UNKNOWN_TYPE
from tickets.models import Attachment, AttachmentState, Ticket

BLOCK = 64 * 1024  # Django's 4 KB makes 50 MB take nine times as long
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
#: Of numbers that Python reads: it refuses those of thousands of digits.
RANGE = re.compile(r"bytes=([0-9]{0,99})-([0-9]{0,99})")


def find_attachment(ticket: Ticket, attachment_id: int) -> Attachment:
    """:raises Http404: the ticket has no such file."""
    attachment = Attachment.objects.filter(pk=attachment_id, message__ticket=ticket).first()
    if attachment is None:
        raise Http404
    return attachment


def serve_file(request: HttpRequest, ticket: Ticket, attachment_id: int) -> HttpResponseBase:
    """A file of a ticket its reader sees, or the piece of it a player asks for (RFC 9110, section 14).

    :raises Http404: the ticket has no such file, or it is not there yet.
    """
    attachment = find_attachment(ticket, attachment_id)
    if attachment.state != AttachmentState.READY:
        raise Http404
    inline = attachment.sniffed_type in INLINE_TYPES and "download" not in request.GET
    media_type = attachment.sniffed_type if inline else UNKNOWN_TYPE
    return _serve(request, attachment.file, media_type, inline=inline, name=attachment.file_name or str(attachment.pk))


def serve_thumbnail(request: HttpRequest, ticket: Ticket, attachment_id: int) -> HttpResponseBase:
    """The small still of a picture of a ticket its reader sees.

    :raises Http404: the ticket has no such file, or it has no still.
    """
    attachment = find_attachment(ticket, attachment_id)
    if not attachment.thumbnail:
        raise Http404
    return _serve(request, attachment.thumbnail, THUMBNAIL_TYPE, inline=True, name=f"{attachment.pk}.webp")


def _serve(request: HttpRequest, file: FieldFile, media_type: str, *, inline: bool, name: str) -> HttpResponseBase:
    # A file never changes under its random name, so that name is its validator.
    etag = quote_etag(str(file.name).rpartition("/")[2])
    answer = get_conditional_response(request, etag=etag) or _content(request, file, media_type, inline, name)
    answer["ETag"] = etag
    # Kept by the browser, but asked for again each time: whoever lost the ticket loses its files.
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _content(request: HttpRequest, file: FieldFile, media_type: str, inline: bool, name: str) -> HttpResponseBase:
    try:
        source = file.open("rb")
    except FileNotFoundError as lost:
        raise Http404 from lost
    answer = _piece_or_whole(request, source)
    answer["Content-Type"] = media_type
    answer["Content-Disposition"] = content_disposition_header(not inline, name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = SANDBOX
    answer["Accept-Ranges"] = "bytes"
    return answer


def _piece_or_whole(request: HttpRequest, source: FieldFile) -> HttpResponseBase:
    size = source.size
    asked = RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or not any(asked.groups()):
        whole = FileResponse(source)
        whole.block_size = BLOCK
        whole["Content-Length"] = str(size)
        return whole
    start, end = _bounds(*asked.groups(), size=size)
    if start >= size or start > end:
        source.close()
        return HttpResponse(
            status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{size}"}
        )
    piece = StreamingHttpResponse(_read(source, start, end), status=HTTPStatus.PARTIAL_CONTENT)
    piece["Content-Range"] = f"bytes {start}-{end}/{size}"
    piece["Content-Length"] = str(end - start + 1)
    return piece


def _bounds(first: str, last: str, *, size: int) -> tuple[int, int]:
    """The first and last byte of a range; «-500» means the last five hundred."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _read(source: "FieldFile | BinaryIO", start: int, end: int) -> Iterator[bytes]:
    with source:
        source.seek(start)
        left = end - start + 1
        while left > 0 and (block := source.read(min(BLOCK, left))):
            left -= len(block)
            yield block
