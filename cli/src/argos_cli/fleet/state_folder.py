"""The state folder: one fleet at a time, a record of what runs on it, and what a crash left over.

    <state>/lock             held while a fleet (or a tool on a stopped one) uses the folder
    <state>/run/fleet.json   where everything of the fleet is; without pids when it is stopped
    <state>/logs/            what each process says
    <state>/nats/            the log itself, with the name of its generation
    <state>/archive/         logs of older generations, after a restore

A folder whose fleet was killed is put in order by the next one that starts on it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType

from argos_common.domain.errors import OurMistake

RECORD = Path("run/fleet.json")
FIRST_GENERATION = "g1"
_END_S, _POLL_S = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class LastEnd:
    """When a process ended last (wall clock), how often in a row, and why."""

    at_ns: int
    in_a_row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRecord:
    """Where a running fleet is. `pids` and `ports` by process name; `accounts` as configured.

    `urls`: nats, nats_monitor, gateway, monitor. `started_ns` is wall clock.
    """

    supervisor_pid: int
    generation: str
    started_ns: int
    config: str
    urls: Mapping[str, str]
    accounts: tuple[str, ...] = ()
    pids: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    node_addresses: Mapping[str, str] = field(default_factory=dict)
    token_files: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, LastEnd] = field(default_factory=dict)


class FolderLock:
    """An exclusive lock on a state folder, for as long as it is open."""

    def __init__(self, state: Path) -> None:
        """Take it. Raises OurMistake: not writable, or held by another process (named by pid)."""
        self.path = state / "lock"
        _make_writable(state)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(self._descriptor, False)
        if not _try_lock(self._descriptor):
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise OurMistake(
                f"another fleet uses {state} (process {holder or 'unknown'}): stop it, or choose"
                " another folder with --state"
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let it go; a second time does nothing."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()


def write_record(state: Path, record: FleetRecord) -> None:
    """Replace the record in one step."""
    path = state / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def read_record(state: Path) -> FleetRecord | None:
    """The record of the fleet that runs on the folder; None if none does."""
    record = last_record(state)
    return record if record is not None and _alive(record.supervisor_pid) else None


def last_record(state: Path) -> FleetRecord | None:
    """The record that was written last, even if that fleet is dead."""
    try:
        values = json.loads((state / RECORD).read_text(encoding="utf-8"))
        values["accounts"] = tuple(values.get("accounts", ()))
        values["ended"] = {n: LastEnd(**each) for n, each in values.get("ended", {}).items()}
        return FleetRecord(**values)
    except (OSError, ValueError, TypeError):
        return None


def log_generation(state: Path) -> str:
    """Which generation the folder's log is of."""
    try:
        return (state / "nats" / "generation").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return FIRST_GENERATION


def keep_generation(nats: Path, generation: str) -> None:
    """Write it down beside the log itself, for good."""
    with (nats / "generation").open("w", encoding="utf-8") as file:
        file.write(generation + "\n")
        file.flush()
        os.fsync(file.fileno())


def mark_stopped(state: Path) -> None:
    """Nothing of the fleet runs any more; the rest of the record is kept."""
    record = last_record(state)
    if record is not None:
        write_record(state, replace(record, supervisor_pid=0, pids={}, ended={}))


def end_left_over(state: Path) -> tuple[str, ...]:
    """End what a fleet that was killed left running on this folder; its names.

    Call with the folder's lock held. A process is ended only if it is the one on record: its
    command line must name this folder.
    """
    record = last_record(state)
    if record is None:
        return ()
    ended = []
    for name, pid in record.pids.items():
        if pid != os.getpid() and f"{state.resolve()}" in _command_line(pid):
            _end(pid)
            ended.append(name)
    mark_stopped(state)
    return tuple(ended)


def _end(pid: int) -> None:
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, wanted)
        except ProcessLookupError:
            return
        for _ in range(int(_END_S / _POLL_S)):
            if not _alive(pid):
                return
            time.sleep(_POLL_S)


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
        )
    except OSError:
        return ""


def _make_writable(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
        probe = state / f".probe-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise OurMistake(
            f"the state folder {state} cannot be written ({error.strerror}): make it writable, or"
            " choose another with --state"
        ) from None


def _try_lock(descriptor: int) -> bool:
    if os.name == "nt":
        import msvcrt  # Windows only

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows only
        except OSError:
            return False
        return True
    import fcntl  # not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
