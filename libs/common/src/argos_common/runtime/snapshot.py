"""Snapshots: a folded state in a file, so that a restart need not read the log from its beginning.

Only a shortcut. Whatever is wrong with one (torn, changed, of another log, of an older program) is
said in one sentence, and the log is read from zero instead. A whole one that is ahead of its log is
not wrong: the log is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from argos_common.domain.errors import OurMistake, WireError
from argos_common.runtime.log import check_reaches
from argos_common.wire.codec import from_json, to_plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """A state, and the last log entry it has folded."""

    sequence: int
    state: T


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a snapshot is not used; empty if there simply is none."""

    sentence: str = ""


def save_snapshot(
    path: Path, state: object, *, generation: str, sequence: int, schema: int
) -> None:
    """Write a snapshot so that the file is the old or the new one, never a part.

    `schema` counts up when the state's shape or meaning changes. Raises OurMistake.
    """
    text = snapshot_text(state, generation=generation, sequence=sequence, schema=schema)
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OurMistake(
            f"the snapshot {path} cannot be written ({error.strerror}): make room or correct the"
            " folder's permissions"
        ) from None


def snapshot_text(state: object, *, generation: str, sequence: int, schema: int) -> str:
    """What a snapshot's file holds: a line of what it is, with a checksum, and the state."""
    # Keys keep their order: a state may mean something by it (oldest first), and a restart must
    # equal a re-read. So this is not the codec's canonical text.
    body = json.dumps(to_plain(state), separators=(",", ":"), ensure_ascii=False)
    header = {
        "generation": generation,
        "sequence": sequence,
        "schema": schema,
        "sha256": checksum(generation, sequence, schema, body),
    }
    return json.dumps(header, sort_keys=True) + "\n" + body + "\n"


def load_snapshot(
    path: Path, kind: type[T], *, generation: str, schema: int, last_sequence: int
) -> Snapshot[T] | Unusable:
    """Read a snapshot. `last_sequence` is the log's last. Raises LogDamaged if it is ahead of that."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Unusable()
    except UnicodeDecodeError:
        return _unusable(path.name, "is damaged or incomplete")
    except OSError as error:
        return _unusable(path.name, f"cannot be read ({error.strerror})")
    return read_snapshot(
        text,
        kind,
        name=path.name,
        generation=generation,
        schema=schema,
        last_sequence=last_sequence,
    )


def read_snapshot(  # what it must be, each by its name
    text: str, kind: type[T], *, name: str, generation: str, schema: int, last_sequence: int
) -> Snapshot[T] | Unusable:
    """The snapshot in a file's text; `name` is the file's, for the sentence."""
    first, _, body = text.partition("\n")
    body = body.removesuffix("\n")
    try:
        header = json.loads(first)
        of, written, at = header["generation"], int(header["schema"]), int(header["sequence"])
        whole = header["sha256"] == checksum(of, at, written, body)
    except (ValueError, KeyError, TypeError):
        return _unusable(name, "has no readable header")
    if not whole:
        return _unusable(name, "is damaged or incomplete")
    if of != generation:
        return _unusable(name, f"is of log generation {of}, not {generation}")
    if written != schema:
        return _unusable(name, f"has schema {written}, this program writes {schema}")
    check_reaches(last_sequence, at, f"the snapshot {name}")
    try:
        return Snapshot(at, from_json(kind, body))
    except WireError as error:
        return _unusable(name, f"holds something else ({error})")


def checksum(generation: str, sequence: int, schema: int, body: str) -> str:
    """Of all that a file says: one flipped digit must not make it a witness against the log."""
    return hashlib.sha256(f"{generation} {sequence} {schema}\n{body}".encode()).hexdigest()


def _unusable(name: str, why: str) -> Unusable:
    return Unusable(f"the snapshot {name} {why}: it is ignored and the log is read again")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be synced, and need not
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
