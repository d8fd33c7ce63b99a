"""Two files to look at, made here so that the demo brings nobody's pictures along."""

import struct
import zlib

PHOTO_WIDTH, PHOTO_HEIGHT = 640, 420
FRAME = 28
STRIPE_COLOURS = ((214, 66, 82), (74, 160, 98), (70, 104, 196), (226, 190, 70), (150, 84, 170))


def photo_of_a_broken_screen() -> bytes:
    """A PNG: a laptop's dark screen with coloured stripes, the way a loose cable shows."""
    return _png(PHOTO_WIDTH, PHOTO_HEIGHT, [_row(y) for y in range(PHOTO_HEIGHT)])


def _row(y: int) -> bytes:
    return b"".join(bytes(_pixel(x, y)) for x in range(PHOTO_WIDTH))


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    on_screen = FRAME <= x < PHOTO_WIDTH - FRAME and FRAME <= y < PHOTO_HEIGHT - FRAME
    if not on_screen:
        return (42, 43, 46)
    is_stripe = (x * 7 // 23) % 11 == 0 or x % 97 < 3
    if is_stripe:
        return STRIPE_COLOURS[(x // 19) % len(STRIPE_COLOURS)]
    glow = 26 + 40 * y // PHOTO_HEIGHT
    return (glow // 2, glow * 3 // 4, glow + 24)


def _png(width: int, height: int, rows: list[bytes]) -> bytes:
    """An 8-bit RGB picture (PNG specification, sections 5 and 11)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def replacement_act() -> bytes:
    """A one-page PDF (ISO 32000-1, section 7.5): header, objects, cross-reference table, trailer."""
    text = b"BT /F1 20 Tf 72 720 Td (Replacement act, order 719-204) Tj 0 -36 Td /F1 12 Tf (Nova Book 14, grey) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return pdf + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(pdf))
    )
