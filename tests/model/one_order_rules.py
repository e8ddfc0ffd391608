"""What `one_order` must keep, and the safeguards that can be taken away from it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.explore import LIVENESS

INVARIANTS = {
    1: "The venue executes an order at most once.",
    2: "An order has one first event: one claim or one decline.",
    3: "No entry is claimed once a kill stands in the log.",
    4: "After a kill no entry call begins but of an order that its reply named.",
    5: "After the node confirmed the kill no entry call begins.",
    6: "No entry call begins later than one lease after the kill, whatever the node has heard.",
    7: "What is declined, refused or absent is not alive at the venue.",
    8: "No call begins without a claim on record.",
    9: "An exit is never refused because of a kill.",
    10: "What is presumed absent is not alive at the venue.",
    LIVENESS: "From every state a proven end of the order stays reachable.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The safeguards, each of which can be taken away, and the faults there may be."""

    entry: bool = True
    faults: int = 1
    restore: bool = False
    """The log may be restored from a copy without the order (ADR 10): everything is stopped, the
    node's journal puts back what it knows, and a kill stands."""
    flickers: bool = False
    """A search may miss what the venue lists, once for each fault."""

    fence: bool = True
    literal: bool = True
    """The fence names a literal subject: three replicas check a wildcard against the stored only."""
    once: bool = True
    shared_id: bool = True
    """A decline carries the claim's once-only id."""
    stands: bool = True
    """Whoever is told `Mine` looks whether it is this claim that stands."""
    own_ack: bool = True
    journal: bool = True
    journal_first: bool = True
    journal_durable: bool = True
    one_journal: bool = True
    refusals_kept: bool = True
    epoch: bool = True
    epoch_durable: bool = True
    lease: bool = True
    nonce: bool = True
    raise_drops: bool = True
    """A newer epoch ends every lease granted before it."""
    second_look: bool = True
    exits_exempt: bool = True
    doubt: bool = True
    seal: bool = True
    abandon: bool = True
    settle: bool = True
    two_passes: bool = True
    put_back: bool = True
    watcher: bool = True
