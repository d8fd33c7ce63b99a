"""Pictures from outside: how large they are, and small stills of them. A program of its own for the second.

Decoders have had their holes, and pictures come from anybody: decoded they are in a process that can take nothing with
it but itself. It gets the picture as its input, may use so much memory and time and no more, knows neither Django nor
any secret, and writes the picture's size and the still. Elsewhere no pixel is ever decoded, only headers are read.
"""

import os
import resource
import struct
import sys
import warnings
from io import BytesIO
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

#: The only decoders that are tried: what the desk shows in its pages.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
#: A telephone's largest photos have about as many.
MAX_PIXELS = 50_000_000
#: Of a still, in pixels; a bubble is at most half as wide on the screens that have twice as many.
LONG_SIDE = 640
QUALITY = 80

MAX_MEMORY = 512 * 1024 * 1024  # bytes of address space
MAX_CPU = 10  # seconds
NICE = 10  # the desk goes first
#: The program's exit code for a picture that cannot be read. Any other says nothing about the picture.
UNREADABLE = 3

Size = tuple[int, int]

#: What Pillow says, depending on the format, of a header it cannot read (PIL.Image.open and Exif.load).
BAD_HEADER = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
#: EXIF 2.32, "Orientation": in these four a picture lies on its side.
ORIENTATION, LYING = 0x0112, range(5, 9)


def size_of(file: IO[bytes]) -> Size | None:
    """Width and height as the picture is to be seen, from its header alone; None where that cannot be read."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # a picture is refused by whoever decodes it
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as picture:
            return _as_seen(picture)
    except BAD_HEADER:
        return None
    finally:
        file.seek(0)


def _as_seen(picture: "Image.Image") -> Size:
    from PIL import Image

    # Not its own method: a PNG's would decode all of it to look for EXIF at its end.
    lies = Image.Image.getexif(picture).get(ORIENTATION) in LYING
    return (picture.height, picture.width) if lies else picture.size


def shrink(source: IO[bytes]) -> tuple[Size, bytes]:
    """The picture's size as it is to be seen, and a WebP of at most `LONG_SIDE` pixels a side.

    Nothing but pixels goes over: no EXIF with its place and camera, no comment, no colour profile. Of what moves it is
    the first frame. What claims more than `MAX_PIXELS` in its header is not decoded.

    :raises Exception: whatever a decoder says of bytes it cannot read.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(source, formats=FORMATS) as picture:
        size = _as_seen(picture)
        picture.draft("RGB", (LONG_SIDE * 2, LONG_SIDE * 2))  # a JPEG is decoded at about the scale it is needed in
        still = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    still.thumbnail((LONG_SIDE, LONG_SIDE))
    ImageOps.exif_transpose(still, in_place=True)
    target = BytesIO()
    still.save(target, "WEBP", quality=QUALITY, exif=b"", xmp=b"", icc_profile=b"")
    return size, target.getvalue()


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU, MAX_CPU + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    import PIL.Image  # noqa: F401  # a Pillow that is not there is not the picture's fault

    try:
        (width, height), still = shrink(sys.stdin.buffer)
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)  # noqa: T201
        return UNREADABLE
    sys.stdout.buffer.write(f"{width} {height}\n".encode() + still)
    return 0


if __name__ == "__main__":
    sys.exit(main())
