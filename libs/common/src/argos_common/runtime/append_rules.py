"""What every log refuses before anything is sent: appends that could never mean what was meant.

The real log and the one in memory share these rules, so a test with one speaks for the other.
Breaking one is a bug of the caller and raises OurMistake; it is never an answer.

- A subject is literal and lies under the log's prefix. The same for the subject of a fence: a
  wildcard there is accepted by the server and does not hold under replication.
- An event is at most `MAX_EVENT_BYTES`. The server ends the connection of a client whose message,
  with its headers, exceeds the limit; that must not be found out in the field.
- In a batch no condition looks at a subject that an earlier event of the same batch writes: the
  server calls that a conflict for ever. No two events of it share a once-only id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from argos_common.domain.errors import OurMistake
from argos_common.runtime.log import Append, CreateOnce, Fence, Head
from argos_common.wire.subjects import PREFIX

MAX_EVENT_BYTES = 128 * 1024
MAX_BATCH = 1000
"""The server's own limit of an atomic batch."""

_LITERAL = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*\Z")
_ONCE_ID = re.compile(r"[!-~]{1,200}\Z")


def check_append(append: Append) -> None:
    """Raise OurMistake if this append can never be stored as meant."""
    _check_subject(append.subject)
    if len(append.data) > MAX_EVENT_BYTES:
        raise OurMistake(
            f"an event of {len(append.data)} bytes on {append.subject} exceeds the limit of"
            f" {MAX_EVENT_BYTES}: make it smaller"
        )
    if append.once_id and not _ONCE_ID.match(append.once_id):
        raise OurMistake(f"{append.once_id!r} cannot be a once-only id: use up to 200 of ! to ~")
    condition = append.condition
    if isinstance(condition, Fence):
        _check_subject(condition.subject)
    if isinstance(condition, (Head, Fence)) and condition.sequence < 0:
        raise OurMistake(f"a condition on {append.subject} names sequence {condition.sequence} < 0")


def check_batch(appends: Sequence[Append]) -> None:
    """Raise OurMistake if this batch can never be stored as meant."""
    if not 1 <= len(appends) <= MAX_BATCH:
        raise OurMistake(f"a batch has 1 to {MAX_BATCH} events, this one has {len(appends)}")
    written: set[str] = set()
    once_ids: set[str] = set()
    for append in appends:
        check_append(append)
        watched = watched_subject(append)
        if watched in written:
            raise OurMistake(f"a batch writes {watched} before an event that is conditional on it")
        if append.once_id in once_ids:
            raise OurMistake(f"a batch uses the once-only id {append.once_id!r} twice")
        written.add(append.subject)
        if append.once_id:
            once_ids.add(append.once_id)


def watched_subject(append: Append) -> str:
    """The subject whose last sequence the condition compares; empty if there is no condition."""
    match append.condition:
        case Fence(subject=subject):
            return subject
        case CreateOnce() | Head():
            return append.subject
        case _:
            return ""


def only_create_once(appends: Sequence[Append]) -> bool:
    """Whether a refused condition of this batch can only mean that a fact is on record already."""
    return not any(isinstance(append.condition, (Head, Fence)) for append in appends)


def _check_subject(subject: str) -> None:
    if not subject.startswith(PREFIX) or not _LITERAL.match(subject):
        raise OurMistake(f"{subject!r} is not a literal subject under {PREFIX}")
