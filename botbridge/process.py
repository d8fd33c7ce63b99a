"""How a process of the bridge's begins to stop, and how it ends."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn


def run_process(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run to the end and leave at once.

    Taking aiogram's thousand classes apart one by one costs a second of CPU, a fifth of the time a stopping process
    is given, and nothing of theirs outlives the process anyway.
    """
    asyncio.run(work)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT (Ctrl+C) set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
