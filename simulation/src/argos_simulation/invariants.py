"""What must always hold, each with a number, a name and one sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

INVARIANTS: dict[int, tuple[str, str]] = {
    1: (
        "one-call",
        "The venue is called at most once for an order id, by whatever life of a node.",
    ),
    2: ("one-venue-order", "The venue holds at most one order of ours for an order id."),
    3: ("claim-first", "No venue call begins without an earlier `submitting` of that very order."),
    4: ("leg-quantity", "What a leg's orders filled at the venue is no more than was approved."),
    5: ("fence", "No OPEN is claimed while its account is killed or under an older control."),
    6: ("kill-bars", "No OPEN call begins later than a confirmation and a lease after a kill."),
    7: ("one-verdict", "A cause has never more than one verdict per account."),
    8: ("all-judged", "At rest every accepted signal has its verdict on each routed account."),
    9: ("nothing-lost", "Every signal that was answered 2xx is on record at that moment."),
    10: ("legal", "No order event on record is illegal for the state it meets."),
    11: ("seal-true", "An id sealed as never sent was never sent and never will be."),
    12: ("resolved", "At rest no order is SUBMITTING or IN_DOUBT, and no leg is under way."),
    13: ("dead-is-dead", "What is ABSENT, REFUSED or DECLINED at rest has nothing at the venue."),
    14: ("positions", "At rest the deals on record add up to what the venue holds, exactly."),
    15: ("replay", "Every verdict follows again from the log before it and its own facts."),
    16: ("re-read", "A process's state at rest is what a fresh reading of the log gives."),
    17: ("alive", "No process ends by an exception, and no handler fails."),
    18: ("exits-only-close", "A trade never turns to the side opposite to its entries."),
    19: ("deals-once", "Every deal at the venue is on record exactly once, and no other is."),
    20: ("one-open-order", "A leg has at most one attempt that the venue may hold."),
    21: ("evidence", "IN_DOUBT ends by evidence, a seal, or a settled seal, never otherwise."),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One invariant broken, `at_s` virtual seconds after the start."""

    number: int
    detail: str
    at_s: float

    def __str__(self) -> str:
        name, sentence = INVARIANTS[self.number]
        return f"{self.number} {name}: {sentence} At {self.at_s:.3f} s: {self.detail}"


@dataclass(slots=True)
class Verdict:
    """How the invariants fared: what was evaluated how often, and what was violated."""

    evaluated: Counter[int] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def check(self, number: int, *, holds: bool, at_s: float, detail: str = "") -> None:
        """One evaluation; `detail` says what is wrong if it does not hold."""
        self.evaluated[number] += 1
        if not holds:
            self.violations.append(Violation(number, detail, at_s))
