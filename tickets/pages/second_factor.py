"""How a person's app learns their key."""

from base64 import b32encode
from urllib.parse import quote, urlencode

import segno
from django.conf import settings

from tickets.models import User


def secret_of(key: str) -> str:
    """The key as apps take it by hand: base32, in groups of four."""
    text = b32encode(bytes.fromhex(key)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture_of(key: str, user: User) -> str:
    """The key as apps take it by camera: the address of an SVG picture
    (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
    """
    label = quote(f"{settings.BRAND_NAME}:{user.username}")
    values = urlencode({"secret": secret_of(key).replace(" ", ""), "issuer": settings.BRAND_NAME}, quote_via=quote)
    code = segno.make(f"otpauth://totp/{label}?{values}", error="m")
    return code.svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
