"""gunicorn's settings for the web process: gunicorn -c helpdesk/gunicorn.py helpdesk.asgi:application"""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

from django.conf import settings

from helpdesk import draining

bind = "0.0.0.0:8000"  # a container is reached from outside; serve passes an address of its own
worker_class = "asgi"
workers = settings.WEB_CONCURRENCY
asgi_lifespan = "off"
keepalive = 5
timeout = 30
graceful_timeout = 20
# Heartbeats on a disk make a worker look dead whenever the disk is slow.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# On by default: a socket in the home directory, shared by every instance of one user.
control_socket_disable = True
# Forwarded headers are helpdesk.middleware.trusted_proxies' business.
forwarded_allow_ips = ""
logconfig_dict = settings.LOGGING
# Without the query, which holds the words people search for.
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(B)s bytes %(L)s s"


SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name for it


def on_starting(arbiter: Any) -> None:
    """Give the workers a directory to count in, so that any of them can tell /metrics about all."""
    os.environ[SHARED_DIRECTORY] = tempfile.mkdtemp(prefix="helpdesk-metrics-")
    os.environ[draining.FILE] = str(Path(os.environ[SHARED_DIRECTORY]) / "draining")


def when_ready(arbiter: Any) -> None:
    if settings.WEB_DRAIN_SECONDS:
        draining.before_sigterm(settings.WEB_DRAIN_SECONDS)


def child_exit(arbiter: Any, worker: Any) -> None:
    """What a worker counted stays; what it held, its open streams, is gone with it."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(arbiter: Any) -> None:
    shutil.rmtree(os.environ[SHARED_DIRECTORY], ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    """End the streams on SIGTERM: gunicorn waits for open connections, and these never end by themselves."""
    from helpdesk.asgi import hub

    def end() -> None:
        hub.shut_down()
        worker.handle_exit_signal()

    worker.loop.add_signal_handler(signal.SIGTERM, end)
