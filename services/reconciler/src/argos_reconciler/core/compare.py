"""When a difference is a discrepancy, and when a discrepancy is over.

A difference becomes a discrepancy when it has stood, unchanged in amount, for its threshold and in
at least `PASSES` passes. While an order on the symbol has no known outcome, or deals of it are
still owed, or if something happened to it while the venue was being asked, the symbol is *muted*:
the pass proves nothing about it either way, and is not counted.
A discrepancy that is gone in `PASSES` passes is resolved with `agrees again`.

Ids are derived from what is found, so two copies of the reconciler find the same discrepancy. Only
for an amount the log sequence of the first sighting takes part: the next difference is another one.
Nothing here changes a position: a discrepancy holds its symbol until it agrees again or a person
decides. What a person resolved is not raised again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.ids import Symbol
from argos_common.domain.reconcile import (
    ITSELF,
    DiscrepancyFound,
    DiscrepancyKind,
    DiscrepancyResolved,
)

from argos_reconciler.core.differences import Difference, muted
from argos_reconciler.core.state import BY_AMOUNT, AccountState, base_of

PASSES = 2
BY_THE_LOG = (DiscrepancyKind.UNRESOLVED, DiscrepancyKind.MISSING_FILL)
"""What a muted symbol does not hide: it is what mutes it."""


@dataclass(slots=True, kw_only=True)
class _Sighting:
    first_ns: int
    sequence: int
    amount: Decimal
    passes: int = 0


@dataclass(slots=True)
class Watch:
    """What was seen in the passes so far; only of this process, never of the log."""

    seen: dict[tuple[str, str, str], _Sighting] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)


def observe(
    state: AccountState,
    watch: Watch,
    differences: Iterable[Difference],
    *,
    kinds: frozenset[DiscrepancyKind],
    now_ns: int,
    log_sequence: int,
    busy: frozenset[Symbol] = frozenset(),
) -> list[DiscrepancyFound | DiscrepancyResolved]:
    """One pass over the `kinds` that could be looked at. Returns what to append.

    `busy`: symbols that changed while the venue was asked; they are muted for this pass.
    """
    quiet = muted(state) | busy
    current = {
        each.key: each
        for each in differences
        if each.symbol not in quiet or each.kind in BY_THE_LOG
    }
    judged = tuple(kind.name for kind in kinds)
    for key in [k for k in watch.seen if k[0] in judged and k not in current]:
        if key[1] not in quiet or DiscrepancyKind[key[0]] in BY_THE_LOG:
            del watch.seen[key]
    known = {_open_key(found) for found in state.open.values()}
    proposals: list[DiscrepancyFound | DiscrepancyResolved] = []
    present: dict[str, None] = {}
    for difference in current.values():
        sighting = _sight(watch, difference, now_ns, log_sequence)
        base = _base_id(state, difference, sighting.sequence)
        present[_difference_key(difference, base)] = None
        since_ns = difference.since_ns or sighting.first_ns
        if sighting.passes < PASSES or now_ns - since_ns < difference.after_ns:
            continue
        if _difference_key(difference, base) in known or base in state.waived:
            continue
        proposals.append(_found(state, difference, base, since_ns, now_ns))
    proposals.extend(_gone(state, watch, present, kinds, quiet, now_ns))
    return proposals


# --- inside


def _sight(watch: Watch, difference: Difference, now_ns: int, log_sequence: int) -> _Sighting:
    amount = difference.amount
    sighting = watch.seen.get(difference.key)
    if sighting is None or sighting.amount != amount:
        sighting = _Sighting(first_ns=now_ns, sequence=log_sequence, amount=amount)
        watch.seen[difference.key] = sighting
    sighting.passes += 1
    return sighting


def _base_id(state: AccountState, difference: Difference, first_sequence: int) -> str:
    ref = str(first_sequence) if difference.kind in BY_AMOUNT else difference.ref
    kind = difference.kind.name.lower()
    facts = "\x1f".join((state.account, difference.symbol, kind, ref))
    return f"{kind}-{hashlib.sha256(facts.encode()).hexdigest()[:20]}"


def _difference_key(difference: Difference, base: str) -> str:
    if difference.kind in BY_AMOUNT:
        return f"{difference.kind.name} {difference.symbol}"
    return base


def _open_key(found: DiscrepancyFound) -> str:
    if found.kind in BY_AMOUNT:
        return f"{found.kind.name} {found.symbol}"
    return base_of(found.discrepancy_id)


def _found(
    state: AccountState, difference: Difference, base: str, since_ns: int, now_ns: int
) -> DiscrepancyFound:
    return DiscrepancyFound(
        discrepancy_id=f"{base}_{state.resolved_count.get(base, 0)}",
        account=state.account,
        symbol=difference.symbol,
        kind=difference.kind,
        expected=difference.expected,
        actual=difference.actual,
        sentence=difference.sentence,
        since_ns=since_ns,
        found_at_ns=now_ns,
        order_id=difference.order_id,
        trade_id=difference.trade_id,
    )


def _gone(
    state: AccountState,
    watch: Watch,
    present: dict[str, None],
    kinds: frozenset[DiscrepancyKind],
    quiet: frozenset[Symbol],
    now_ns: int,
) -> list[DiscrepancyResolved]:
    """Open discrepancies of which nothing was seen in enough passes."""
    resolved = []
    for discrepancy_id in [each for each in watch.gone if each not in state.open]:
        del watch.gone[discrepancy_id]
    for discrepancy_id, found in state.open.items():
        if found.kind not in kinds:
            continue
        if found.symbol in quiet and found.kind not in BY_THE_LOG:
            continue
        if _open_key(found) in present:
            watch.gone.pop(discrepancy_id, None)
            continue
        passes = watch.gone[discrepancy_id] = watch.gone.get(discrepancy_id, 0) + 1
        if passes >= PASSES:
            resolved.append(
                DiscrepancyResolved(
                    discrepancy_id=discrepancy_id,
                    account=state.account,
                    symbol=found.symbol,
                    how="agrees again",
                    actor=ITSELF,
                    resolved_at_ns=now_ns,
                )
            )
    return resolved
