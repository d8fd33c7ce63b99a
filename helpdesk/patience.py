"""How long processes that answer somebody wait for PostgreSQL; commands that work long wait as long as it takes."""

from pathlib import Path

#: A lock is given up sooner than a page: whoever holds it that long is stuck, and more would only queue behind.
LOCK_SHARE = 0.5
#: Seconds a transaction may do nothing: no handler of ours waits for the network within one.
IDLE_IN_TRANSACTION = 60

#: The management commands that answer people: the bot its customers, the development server its developer.
ANSWERING = {"runbot", "runserver"}


def is_answering(argv: list[str]) -> bool:
    """Whether a process started so is the web's or the bot's."""
    if Path(argv[0]).name == "manage.py":
        return len(argv) > 1 and argv[1] in ANSWERING
    return "gunicorn" in argv[0]


def options(seconds: int) -> dict[str, str]:
    """For DATABASES' OPTIONS; nothing for 0 seconds.

    They go with the connection's start (libpq, "options"), so they cost no question and survive no pooler's reuse.
    """
    if not seconds:
        return {}
    limits = {
        "statement_timeout": seconds * 1000,
        "lock_timeout": int(seconds * 1000 * LOCK_SHARE),
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION * 1000,
    }
    return {"options": " ".join(f"-c {name}={milliseconds}" for name, milliseconds in limits.items())}
