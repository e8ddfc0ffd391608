"""Folding a record again and deciding every verdict again: the same must come out, byte for byte.

The state's hash is over the canonical text of what risk knows and of every account's book and
control, so two replays of the same record are compared by one line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from argos_common.domain.errors import BadInput
from argos_common.domain.event import Event
from argos_common.domain.verdict import VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.wire.codec import encode, to_json
from argos_common.wire.documents import read_config
from argos_risk.core.replay import Mismatch, decide_again

from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.client.history import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What a replay found. `difference` is empty if there is none, else the first one."""

    entries: int
    dead_letters: int
    verdicts: int
    last_sequence: int
    state_hash: str
    differences: int
    difference: str

    @property
    def passed(self) -> bool:
        return not self.difference


def replay_record(items: Sequence[Recorded]) -> ReplayReport:
    """Replay a whole record. Raises BadInput if it does not begin at the beginning or has gaps."""
    entries: list[tuple[Entry, Event | None]] = []
    fold = FleetFold()
    differences: list[str] = []
    for number, item in enumerate(items, start=1):
        if item.entry.sequence != number:
            raise BadInput(
                f"the record goes from entry {number - 1} to {item.entry.sequence}: a replay needs"
                " every entry from the first on; export it again without --from"
            )
        if item.event is not None and encode(item.event) != item.entry.data:
            differences.append(f"entry {number}: encoding it again gives other bytes")
        entries.append((item.entry, item.event))
        fold.take(item.entry, item.event)
    state, mismatches = decide_again(entries, read_config)
    differences += [_explain(each) for each in mismatches]
    text = to_json(state) + to_json(fold.books) + to_json(fold.controls)
    return ReplayReport(
        entries=len(items),
        dead_letters=sum(event is None for _, event in entries),
        verdicts=sum(isinstance(event, VerdictGiven) for _, event in entries),
        last_sequence=len(items),
        state_hash=hashlib.sha256(text.encode()).hexdigest(),
        differences=len(differences),
        difference=differences[0] if differences else "",
    )


def _explain(mismatch: Mismatch) -> str:
    recorded, decided = mismatch.recorded, mismatch.decided
    where = f"entry {mismatch.sequence}: the verdict on {recorded.cause_id} for {recorded.account}"
    if decided is None:
        return f"{where} answers nothing that was waiting at entry {recorded.folded_sequence}"
    for field in fields(recorded):
        before, after = getattr(recorded, field.name), getattr(decided, field.name)
        if before != after:
            return f"{where} has {field.name} {_short(before)}, decided again it is {_short(after)}"
    return f"{where} differs"


def _short(value: object) -> str:
    text = to_json(value)
    return text if len(text) <= 300 else text[:300] + "…"  # enough to find it
