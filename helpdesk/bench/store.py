"""The databases of the speed tool. It makes and drops those whose names begin with `PREFIX`, and touches no other.

A filled one is kept as a template, and measured on a copy, so that the next run finds it as it was.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from psycopg.sql import SQL, Identifier, Literal

from helpdesk.progress import Say

PREFIX = "helpdesk_bench_"
HERE = Path(__file__).parent


class Store:
    """Databases on the PostgreSQL server that `url` names by any of its databases."""

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        self._url = url
        self._environment = environment

    def url(self, name: str) -> str:
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def copy_of(self, number: int, say: Say) -> str:
        """A fresh database with `number` tickets; gives its name.

        :raises subprocess.CalledProcessError: it could not be filled.
        """
        template, copy = f"{PREFIX}seed_{number}", f"{PREFIX}{number}"
        with self._server() as server:
            if not _is_as_seeded_now(server, template):
                say(f"Seeding {number:,} tickets")
                _drop(server, template)
                server.execute(SQL("CREATE DATABASE {}").format(Identifier(template)))
                self.inside(template, "fill", str(number))
                server.execute(SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(template), Literal(fingerprint())))
            say(f"Copying {number:,} tickets")
            _drop(server, copy)
            server.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(copy), Identifier(template)))
        return copy

    def inside(self, name: str, *arguments: str) -> str:
        """What `helpdesk.bench.inside` printed about that database."""
        done = subprocess.run(  # noqa: S603  # the command is ours
            [sys.executable, "-m", "helpdesk.bench.inside", *arguments],
            cwd=settings.BASE_DIR,
            env=os.environ | self._environment | {"DATABASE_URL": self.url(name)},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def ask(self, name: str, query: LiteralString, *parameters: Any) -> tuple[Any, ...]:
        """The one row that this query finds in that database."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            row = connection.execute(query, parameters).fetchone()
        assert row is not None
        return row

    def drop(self, name: str) -> None:
        """:raises ValueError: the database is not the speed tool's."""
        if not name.startswith(PREFIX):
            raise ValueError(f"{name} is no database of the speed tool")
        with self._server() as server:
            _drop(server, name)

    def drop_seed(self, number: int) -> None:
        self.drop(f"{PREFIX}seed_{number}")

    def version(self) -> str:
        with self._server() as server:
            return f"PostgreSQL {server.info.server_version // 10000}"

    def _server(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self._url, autocommit=True)


def fingerprint() -> str:
    """What a seed depends on: how it is filled, and the shape of the tables."""
    digest = hashlib.sha256((HERE / "seed.py").read_bytes())
    for app in ("tickets", "botbridge"):
        for migration in sorted((Path(settings.BASE_DIR) / app / "migrations").glob("*.py")):
            digest.update(migration.read_bytes())
    return digest.hexdigest()


def _is_as_seeded_now(server: "psycopg.Connection[tuple[object, ...]]", template: str) -> bool:
    found = server.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [template]
    ).fetchone()
    return found is not None and found[0] == fingerprint()


def _drop(server: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
