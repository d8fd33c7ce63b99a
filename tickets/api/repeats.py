"""Writes that carry a `clientId`: sent twice, done once, answered alike."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from rest_framework.response import Response

from tickets import operations
from tickets.api.strict import AnyRequest

MAX_KEY = 64


def once(request: AnyRequest, client_id: str | None, write: Callable[[], Response]) -> Response:
    """Do the write, or give what it was answered the first time under this caller's `clientId`.

    What is refused is not kept: the same request may be sent again when its reason has gone.

    :raises AnotherText: this caller has made another request under this id.
    """
    if client_id is None:
        return write()
    with operations.answering_once(caller=request.user, key=client_id, digest=digest_of(request)) as answer:
        if answer.status is None:
            response = write()
            answer.status, answer.body = response.status_code, response.data
            answer.save(update_fields=["status", "body"])
            return response
        return Response(answer.body, status=answer.status)


def digest_of(request: AnyRequest) -> str:
    """The fingerprint of what was asked: where, how, every value and every file."""
    digest = hashlib.sha256(f"{request.method} {request.path}\0".encode())
    body: Any = request.data
    values = {name: value for name, value in body.items() if name not in request.FILES}
    digest.update(json.dumps(values, sort_keys=True, default=str).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(f"\0{name}\0{file.name}\0{file.size}\0".encode())
            for chunk in file.chunks():
                digest.update(chunk)
    return digest.hexdigest()
