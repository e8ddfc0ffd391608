"""The log as every service sees it: conditional appends with five answers, and ordered reading.

A condition is checked by the log server, never by the writer, so two copies of a service may race
and one append wins. An answer is one of five, and only `Mine` lets its receiver act:

    Mine      this very call stored the event, at `sequence`; nobody else did, and no earlier call
    Exists    the fact is on record already (create-once lost, or a once-only id seen before)
    Stale     something newer stands where the writer had looked: fold on and decide again
    Busy      not stored, and nothing said about the condition: try again a little later
    Unknown   stored or not, nobody here knows (timeout, connection lost): read the log, never assume
    Full      not stored, and never will be until an operator makes room

`Full` is a `Busy` that waiting does not cure. An append that was answered `Unknown` may still land
later (a ghost); its condition is then checked at that moment, which is what makes ghosts harmless.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.errors import OurMistake


@dataclass(frozen=True, slots=True)
class Unconditional:
    """Store whatever else is on record. Only a kill may ask for this."""


@dataclass(frozen=True, slots=True)
class CreateOnce:
    """Store only as the first event of the subject, however late a copy comes."""


@dataclass(frozen=True, slots=True)
class Head:
    """Store only if the last event of the event's own subject stands at `sequence` (0: none)."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Store only if the last event of another literal subject stands at `sequence` (0: none)."""

    subject: str
    sequence: int


Condition = Unconditional | CreateOnce | Head | Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One event on its way into the log.

    `subject` is literal and without the stream's prefix rules broken (see wire/subjects.py).
    `once_id`, if set, makes the append once-only within the log's duplicate window: a second
    append with the same id is answered `Exists`, whatever its condition or content. `appended_ns`
    is given only where an entry of an older generation is stored again: it keeps its time.
    """

    subject: str
    data: bytes
    condition: Condition
    once_id: str = ""
    appended_ns: int = 0


@dataclass(frozen=True, slots=True)
class Mine:
    sequence: int


@dataclass(frozen=True, slots=True)
class Exists:
    pass


@dataclass(frozen=True, slots=True)
class Stale:
    pass


@dataclass(frozen=True, slots=True)
class Busy:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Full:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    reason: str = ""


Answer = Mine | Exists | Stale | Busy | Full | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stored event. `appended_ns` is the log server's clock, when it was stored first."""

    sequence: int
    subject: str
    data: bytes
    appended_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """What the log server says of itself. `used_ratio` is bytes stored over bytes allowed, 0..1."""

    generation: str
    last_sequence: int
    used_ratio: float


class LogUnavailable(Exception):
    """The log cannot be reached or did not answer. Wait and try again; nothing is known."""


class LogDamaged(OurMistake):
    """The log has lost entries of its own. Nothing may be decided from what is left of it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the log is damaged: {what}; nothing may be decided without them: stop the fleet, keep"
            " its state folder, and put the log back from a copy"
        )


def check_reaches(last_sequence: int, seen: int, where: str) -> None:
    """Raises LogDamaged if the log ends before an entry that a file of ours has taken from it."""
    if seen > last_sequence:
        raise LogDamaged(
            f"it ends at entry {last_sequence}, but {where} has seen {seen}: the entries between"
            " are gone"
        )


class Log(Protocol):
    """The one record. See the module's text for what the answers mean."""

    async def append(self, append: Append) -> Answer:
        """Append one event. Never raises for anything the network or the server did.

        Raises OurMistake for an append that could never be stored as meant (append_rules). A
        cancelled call is an `Unknown` that nobody heard.
        """
        ...

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        """Append all or nothing. `Mine.sequence` is that of the last; the others directly precede it.

        `Exists` says that at least one of them is on record, not that all are. Which condition
        failed is not told: it is `Stale` unless every condition is create-once, then `Exists`.
        """
        ...

    def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncIterator[Entry]:
        """Every entry with a sequence above `after`, in order, each once; then waits for more, for ever.

        `subjects` filters by subject patterns (NATS wildcards); empty means all. Reconnects by
        itself and continues where it was. Never skips an entry.

        Raises OurMistake if the log ends before `after`, or, after a reconnect, before what was
        read: then it is another log, or an older copy of this one. Raises LogDamaged if an entry
        is not there any more: nothing may be folded as if it had never been.
        """
        ...

    async def last(self, subject: str) -> Entry | None:
        """The newest entry of one literal subject, from the leader. Raises LogUnavailable."""
        ...

    async def status(self) -> LogStatus:
        """Generation, last sequence and fill level, from the leader. Raises LogUnavailable."""
        ...
