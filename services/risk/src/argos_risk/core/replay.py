"""Deciding again: folds a recorded log and checks that every verdict follows from it.

A verdict names the last entry its writer had folded. Right after that entry, from the facts recorded
in it, the same verdict must come out, byte for byte. Only its `trace_parent` is taken as recorded: it
names the span that decided, not what was decided. What a restore put back nobody decided. An entry that cannot be read is taken as risk takes
it: for what its subject says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from argos_common.domain.event import Event
from argos_common.domain.verdict import Origin, VerdictGiven
from argos_common.runtime.log import Entry

from argos_risk.core.decide import decide
from argos_risk.core.state import ReadConfig, RiskState, fold, fold_unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A verdict that does not follow. `decided` is None if its cause was not pending."""

    sequence: int
    recorded: VerdictGiven
    decided: VerdictGiven | None


def decide_again(
    entries: Sequence[tuple[Entry, Event | None]], read_config: ReadConfig
) -> tuple[RiskState, tuple[Mismatch, ...]]:
    """The state after all entries, and every verdict among them that does not follow from them.

    An event is None where its entry cannot be read.
    """
    waiting: dict[int, list[tuple[int, VerdictGiven]]] = {}
    for entry, event in entries:
        if isinstance(event, VerdictGiven) and event.origin is not Origin.RESTORE:
            waiting.setdefault(event.folded_sequence, []).append((entry.sequence, event))
    state, mismatches = RiskState(), []
    for entry, event in entries:
        if event is None:
            fold_unreadable(state, entry)
        else:
            fold(state, entry, event, read_config)
        for sequence, recorded in waiting.pop(entry.sequence, ()):
            decided = _again(state, recorded)
            if decided != recorded:
                mismatches.append(Mismatch(sequence=sequence, recorded=recorded, decided=decided))
    for left in waiting.values():
        for sequence, recorded in left:
            mismatches.append(Mismatch(sequence=sequence, recorded=recorded, decided=None))
    return state, tuple(mismatches)


def _again(state: RiskState, recorded: VerdictGiven) -> VerdictGiven | None:
    risk = state.accounts.get(recorded.account)
    cause = risk.pending.get(recorded.cause_id) if risk is not None else None
    if cause is None:
        return None
    decided = decide(state, recorded.account, cause, recorded.facts)
    return replace(decided, trace_parent=recorded.trace_parent)
