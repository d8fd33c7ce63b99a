"""What Celery's messages ask for: each names a row, and the row decides."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from botbridge.files import fetch_if_due
from helpdesk.jobs.celery import MESSAGE_LIVES
from helpdesk.jobs.lines import FILES, Line
from helpdesk.jobs.schedule import WORK
from helpdesk.jobs.worker import Worker
from tickets import operations
from tickets.models import Attachment

#: How much is rung for at a time; the rest a second later.
AT_MOST = 100

worker = Worker()


@shared_task(name="helpdesk.ring")
def ring() -> None:
    """Tell the workers which jobs and files are due."""
    worker.look_after()
    silence = timedelta(seconds=MESSAGE_LIVES)
    for job_id, kind in operations.jobs_to_ring(kinds=WORK.keys(), silence=silence, at_most=AT_MOST):
        do_job.apply_async((job_id,), queue=WORK[kind].line.value, expires=MESSAGE_LIVES)
    if settings.TELEGRAM_BOT_TOKEN:
        for attachment_id in Attachment.objects.due_for_fetching().values_list("pk", flat=True)[:AT_MOST]:
            fetch_file.apply_async((attachment_id,), queue=FILES, expires=MESSAGE_LIVES)


@shared_task(name="helpdesk.do_job")
def do_job(job_id: int) -> None:
    """Do one job, unless another worker does or has."""
    job = worker.claim(list(Line), job_id=job_id)
    if job is not None:
        worker.do(job)


@shared_task(name="helpdesk.fetch_file")
def fetch_file(attachment_id: int) -> None:
    """Fetch one customer's file, unless another worker does or has."""
    fetch_if_due(attachment_id)
