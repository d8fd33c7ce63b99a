"""All jobs on several machines: Celery's workers do them, its beat says every second that there may be some.

    celery --app helpdesk.jobs.celery worker --queues quick --concurrency 2
    celery --app helpdesk.jobs.celery worker --queues long --concurrency 4
    celery --app helpdesk.jobs.celery worker --queues files --concurrency 4
    celery --app helpdesk.jobs.celery beat

The rows are the truth and the broker only a doorbell that carries ids. A message that it loses is rung again, one
that comes twice finds its job taken. Without the broker jobs are late and none is lost.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

from django.conf import settings

from helpdesk.jobs.lines import Line

#: Seconds.
RING_EVERY = 1.0
#: Seconds after which a message nobody took is dropped, and a job still due is rung for again.
MESSAGE_LIVES = 10

app = Celery("helpdesk", broker=settings.CELERY_BROKER_URL, include=["helpdesk.jobs.tasks"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue=Line.QUICK.value,
    worker_prefetch_multiplier=1,
    timezone="UTC",
    # Beat keeps nothing between its runs: it only rings.
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule={"ring": {"task": "helpdesk.ring", "schedule": RING_EVERY, "options": {"expires": MESSAGE_LIVES}}},
)


@setup_logging.connect
def keep_our_logs(**_: Any) -> None:
    """Django's LOGGING, which takes tokens out of every line, stays in force: Celery sets up none of its own."""
