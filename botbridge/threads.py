"""How the bot's asyncio loop reaches the ORM, which is synchronous and keeps a connection per thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")

# Four inbox workers, one claim and a few settlements at a time: connections to the database are the scarce thing.
MAX_THREADS = 8

_pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="orm")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ORM code on a thread of its own; a call waits when all are busy.

    Outside a web request nobody else replaces connections a database restart has broken.
    """
    return await sync_to_async(_on_live_connection, thread_sensitive=False, executor=_pool)(function, *args, **kwargs)


def _on_live_connection(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


async def in_transaction(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a handler's ORM code on the thread that holds the update's transaction (`inbox.handle`)."""
    return await sync_to_async(function, thread_sensitive=True)(*args, **kwargs)
