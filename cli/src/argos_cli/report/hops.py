"""Where the time of one order went, hop by hop, from the clocks written into its events. Pure.

All clocks are of one machine here; between machines a hop may come out negative, and is shown so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argos_common.domain.times import NS_PER_MS

from argos_cli.report.orders import OrderRow, RunFold

RECEIVED = "alert received"
ACCEPTED = "signal on record"
DECIDED = "decided by risk"
APPROVED = "verdict on record"
CLAIMED = "claimed by the bridge"
SUBMITTING = "claim on record"
AT_NODE = "received by the node"
JOURNALED = "journaled by the node"
CALLED = "venue called"
ANSWERED = "venue answered"
FILLED = "fill on record"
DEALT = "deal on record"
MATCHED = "reconciled"
HOPS = (
    RECEIVED, ACCEPTED, DECIDED, APPROVED, CLAIMED, SUBMITTING, AT_NODE, JOURNALED, CALLED,
    ANSWERED, FILLED, DEALT, MATCHED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hop:
    """A point that an order passed: when, milliseconds since the one before and since the alert."""

    name: str
    at_ns: int
    ms: float
    since_ms: float


def moments(fold: RunFold, row: OrderRow) -> dict[str, int]:
    """Hop -> nanoseconds since the epoch, for those that are known. Empty without a signal."""
    claim = row.claim
    signal = fold.signals.get(claim.cause_id)
    verdict = fold.verdicts.get((claim.cause_id, claim.account))
    if signal is None or verdict is None:
        return {}
    found = {
        RECEIVED: signal[0].received_at_ns,
        ACCEPTED: signal[1].appended_ns,
        DECIDED: verdict[0].facts.now_ns,
        APPROVED: verdict[1].appended_ns,
        CLAIMED: claim.claimed_at_ns,
        SUBMITTING: row.claimed.appended_ns,
        AT_NODE: row.hops.received_ns,
        JOURNALED: row.hops.journaled_ns,
        CALLED: row.hops.called_ns,
        ANSWERED: row.hops.returned_ns,
        FILLED: row.filled.appended_ns if row.filled else 0,
        DEALT: row.dealt.appended_ns if row.dealt else 0,
        MATCHED: row.matched.appended_ns if row.matched else 0,
    }
    return {name: at_ns for name, at_ns in found.items() if at_ns}


def hops(fold: RunFold, row: OrderRow) -> list[Hop]:
    """The hops of an order in the order in which they happened."""
    known = sorted(moments(fold, row).items(), key=lambda item: item[1])
    if not known:
        return []
    start_ns = before_ns = known[0][1]
    found = []
    for name, at_ns in known:
        found.append(
            Hop(name, at_ns, (at_ns - before_ns) / NS_PER_MS, (at_ns - start_ns) / NS_PER_MS)
        )
        before_ns = at_ns
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile of values in any order; 0.0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]
