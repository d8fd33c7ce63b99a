from enum import StrEnum


class Line(StrEnum):
    """Where a job waits for a worker: what lasts minutes must never stand before what is due every few seconds."""

    QUICK = "quick"
    LONG = "long"


#: Where customers' files wait for Celery's workers: a hundred of them must not stand before a webhook.
FILES = "files"
