"""The Postgres server of the tests: named, local, or a container; else the tests say what they need.

ARGOS_TEST_POSTGRES_URL    a scratch database of that server; everything in it is dropped
ARGOS_TEST_DOCKER=1        a container of the image that docker-compose.yml runs
postgres and initdb        a server of our own in a temporary folder, found on PATH or by Debian
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 30.0
_DRIVER = "postgresql+psycopg"


class NoPostgres(Exception):
    """There is none; the sentence says how to have one."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a database that may be emptied. Raises NoPostgres."""
    named = os.environ.get("ARGOS_TEST_POSTGRES_URL", "")
    programs = _programs()
    if named:
        yield named
    elif os.environ.get("ARGOS_TEST_DOCKER") == "1":
        with _container() as url:
            yield url
    elif programs is not None:
        with _local(*programs) as url:
            yield url
    else:
        raise NoPostgres(
            "no Postgres: set ARGOS_TEST_POSTGRES_URL or ARGOS_TEST_DOCKER=1, or install one"
        )


def _programs() -> tuple[str, str] | None:
    """initdb and postgres of the newest version here."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name)
    for folder in [*reversed(debian), None]:
        path = str(folder) if folder else None
        initdb, server = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
        if initdb and server:
            return initdb, server
    return None


@contextmanager
def _local(initdb: str, server: str) -> Iterator[str]:
    """Without syncing: what it holds is worth nothing after the tests."""
    folder = Path(tempfile.mkdtemp(prefix="argos-postgres-"))
    user = _unprivileged(folder)
    try:
        data = str(folder / "data")
        made = subprocess.run(
            [initdb, "-D", data, "-U", "argos", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
            capture_output=True, text=True, user=user, cwd=folder, check=False,
        )  # fmt: skip
        if made.returncode:
            raise NoPostgres(f"initdb failed: {made.stderr.strip().splitlines()[-1]}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "-D", data, "-p", str(port), "-k", str(folder), "-F",
                 "-c", "listen_addresses=127.0.0.1"],
                stdout=log, stderr=log, user=user, cwd=folder,
            )  # fmt: skip
        try:
            _until_listening(port, process, folder / "log")
            yield f"{_DRIVER}://argos@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> int | None:
    """Postgres refuses to run as root: another user then, who owns the folder."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, found.pw_uid, found.pw_gid)
        return found.pw_uid
    raise NoPostgres("Postgres does not run as root, and there is no user postgres or nobody")


def _until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        if "ready to accept connections" in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise NoPostgres(f"Postgres did not start on port {port}: {log.read_text(errors='replace')}")


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.config import testcontainers_config

    from tests.integration.compose_file import UTF8, settings

    testcontainers_config.ryuk_disabled = True
    container = PostgresContainer(settings()["POSTGRES_IMAGE"], driver="psycopg")
    with container.with_envs(**UTF8) as started:
        yield started.get_connection_url()
