"""Reading what came over HTTP: query, form, multipart, JSON."""

from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from botbridge.sandbox.bot_api import Params, decoded
from botbridge.sandbox.errors import BotApiError, bad_request
from botbridge.sandbox.files import MAX_LOCALLY, MAX_UPLOAD, MEGABYTE, Upload

# A file of the largest size and the rest of its form.
MAX_BODY = MAX_UPLOAD + MEGABYTE
MAX_BODY_LOCALLY = MAX_LOCALLY + MEGABYTE


async def read_params(request: web.Request) -> Params:
    """ "URL query string, application/x-www-form-urlencoded, application/json…, multipart/form-data" (Bot API, "Making
    requests"). Raises 400 for what cannot be read and 413 for a body over 50 MB.
    """
    values: dict[str, Any] = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        values |= await _read_json(request)
    elif request.body_exists:
        for name, value in (await _read_form(request)).items():
            if isinstance(value, FileField):
                uploads[name] = as_upload(value)
            else:
                values[name] = value
    return Params(decoded(values), uploads)


async def _read_json(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json() if request.body_exists else {}
    except ValueError:
        raise bad_request("can't parse JSON object") from None
    if not isinstance(body, dict):
        raise bad_request("can't parse JSON object")
    return body


async def _read_form(request: web.Request) -> dict[str, Any]:
    try:
        return dict(await request.post())
    except web.HTTPRequestEntityTooLarge:
        raise BotApiError(413, "Request Entity Too Large") from None
    except ValueError:
        raise bad_request("can't parse the form") from None


def as_upload(part: FileField) -> Upload:
    return Upload(part.file, part.filename, part.content_type)
