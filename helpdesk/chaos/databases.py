"""The databases a run befalls: a file, a PostgreSQL cluster of its own, or a database on somebody's server.

Nothing here needs Django, which is told its database when it starts.
"""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from helpdesk.gates import Passage, free_port

NAME = "helpdesk_chaos"
#: Seconds SQLite's file is locked: longer than the product waits for it.
LOCKED = 25
#: Seconds PostgreSQL stays away in a restart.
AWAY = 3
#: Who may run PostgreSQL where root may not (`postgres` refuses to).
ORDINARY_USERS = ("postgres", "nobody")


class Database(ABC):
    """`url` is where the product finds it, `words` what it is, `trouble` what `restart` does to it."""

    url: str
    words: str
    trouble: str

    @abstractmethod
    def restart(self) -> None: ...


class Server(Database):
    """One that can be away for a while."""

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def start(self) -> None: ...

    def restart(self) -> None:
        self.stop()
        time.sleep(AWAY)
        self.start()


class File(Database):
    """SQLite. It cannot go away; another process may hold it."""

    words = f"SQLite {sqlite3.sqlite_version}"
    trouble = f"locked by another process for {LOCKED} s"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "db.sqlite3"
        self.url = f"sqlite:///{self._path}"

    def restart(self) -> None:
        lock = sqlite3.connect(self._path, isolation_level=None, timeout=60)
        try:
            lock.execute("BEGIN EXCLUSIVE")
            time.sleep(LOCKED)
            lock.execute("ROLLBACK")
        finally:
            lock.close()


class Cluster(Server):
    """A PostgreSQL server of this run's own, which can really be stopped."""

    trouble = f"pg_ctl -m immediate stop, and a start {AWAY} s later"

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._log = folder / "log"
        self._port = free_port()
        self._sockets = folder
        self._user = ordinary_user()
        self.url = f"postgres://postgres@127.0.0.1:{self._port}/{NAME}"
        self.words = f"{_version(programs)}, a cluster of its own"

    def create(self) -> None:
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        with _server(self.url) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(NAME)))

    def start(self) -> None:
        # The machine goes on while its processes die, so nothing is lost that was written and not yet on the disk.
        options = f"-p {self._port} -k {self._sockets} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-w", "-t", "120", "-l", str(self._log), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        subprocess.run(command, user=self._user, cwd="/", check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # ours


class OnServer(Server):
    """A database on a server that others use, too: only the way to it can be broken."""

    trouble = f"connections cut and its processes for us ended (pg_terminate_backend), open again {AWAY} s later"

    def __init__(self, url: str, passage: Passage) -> None:
        self._url = url
        self._passage = passage
        parts = urlsplit(url)
        who = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{passage.port}", path=f"/{NAME}"))

    def create(self) -> None:
        self.drop()
        with _server(self._url) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(NAME)))
            number = server.info.server_version // 10000
        self.words = f"PostgreSQL {number}, a server of others': it cannot be stopped, so its connections were cut"

    def drop(self) -> None:
        with _server(self._url) as server:
            server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(NAME)))

    def stop(self) -> None:
        self._passage.shut()
        with _server(self._url) as server:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [NAME])

    def start(self) -> None:
        self._passage.open()


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    yield File(folder)


@contextmanager
def postgresql(server: str | None) -> Iterator[Database]:
    """A cluster of its own where PostgreSQL's programs are found, else a database on the `server` of that address.

    :raises FileNotFoundError: there are neither.
    """
    programs = find_programs()
    if server is None and programs is None:
        raise FileNotFoundError("PostgreSQL's programs (initdb, pg_ctl) are not here; name a server: --postgresql URL")
    if server is None and programs is not None:
        folder = Path(tempfile.mkdtemp(prefix="helpdesk-chaos-"))
        if (user := ordinary_user()) is not None:
            shutil.chown(folder, user)
        cluster = Cluster(folder, programs)
        try:
            cluster.create()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(folder)
    elif server is not None:
        parts = urlsplit(server)
        with Passage(parts.hostname or "127.0.0.1", parts.port or 5432) as passage:
            database = OnServer(server, passage)
            database.create()
            try:
                yield database
            finally:
                database.drop()


def find_programs() -> Path | None:
    """Where the newest PostgreSQL here has `initdb` and `pg_ctl`: Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def ordinary_user() -> str | None:
    """Whom root runs PostgreSQL as; None for who is not root, and runs it."""
    if os.getuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(user for user in ORDINARY_USERS if user in known)


def _version(programs: Path) -> str:
    done = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True)  # noqa: S603
    return "PostgreSQL " + done.stdout.split()[2]


def _server(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """The server by a database that is always there."""
    return psycopg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")), autocommit=True)
