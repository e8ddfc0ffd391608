"""What must always hold, each with a number, a name and one sentence.

Most are checked the moment something happens: an entry of the log, a call to a venue, an answer to
a sender or an operator. Those that say "at rest" are checked once faults have healed and nothing is
under way. Numbers are never given twice, so that a seed on record keeps its meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

INVARIANTS: dict[int, tuple[str, str]] = {
    1: (
        "one-call",
        "The venue is called at most once for an order id, by whatever life of a node.",
    ),
    2: ("one-venue-order", "The venue holds at most one order of ours for an order id."),
    3: (
        "claim-first",
        "No venue call, and no order at a venue, without that very claim before it.",
    ),
    4: ("leg-quantity", "What a leg's orders filled at the venue is no more than was approved."),
    5: ("fence", "No OPEN is claimed while its account is killed or under an older control."),
    6: (
        "kill-bars",
        "No OPEN call begins later than a confirmation and a lease after what bars its claim.",
    ),
    7: ("one-verdict", "A cause has never more than one verdict per account."),
    8: ("all-judged", "At rest every accepted signal has its verdict on each routed account."),
    9: ("nothing-lost", "Every signal that was answered 2xx is on record at that moment."),
    10: ("legal", "No order event on record is illegal for the state it meets."),
    11: (
        "seal-true",
        "An id sealed as never sent, or refused by its node, was never sent and never will be.",
    ),
    12: (
        "resolved",
        "Faults healed, everything comes to its end within the bound: signals, orders, legs, deals.",
    ),
    13: ("dead-is-dead", "What is ABSENT, REFUSED or DECLINED at rest has nothing at the venue."),
    14: ("positions", "At rest the deals on record add up to what the venue holds, exactly."),
    15: ("replay", "Every verdict follows again from the log before it and its own facts."),
    16: (
        "re-read",
        "A process's state at rest is, byte for byte, what a fresh reading of the log gives.",
    ),
    17: ("alive", "No process ends by an exception, and no handler fails."),
    18: ("exits-only-close", "A trade never turns to the side opposite to its entries."),
    19: ("deals-once", "Every deal at the venue is on record exactly once, and no other is."),
    20: ("one-open-order", "A leg has at most one attempt that the venue may hold."),
    21: ("evidence", "IN_DOUBT ends by evidence, a seal, or a settled seal, never otherwise."),
    22: (
        "absent-true",
        "What is called absent, or presumed so, is not and will not be at the venue.",
    ),
    23: (
        "reserved",
        "What an entry may still add, or has added without deals on record, is reserved.",
    ),
    24: (
        "limit-counts-all",
        "No entry is approved beyond the positions allowed, counting all that may yet open.",
    ),
    25: (
        "stop",
        "An entry that needs a stop carries its approved one to the venue in one request.",
    ),
    26: ("deadline", "No venue call begins after its claim's deadline by the node's own clock."),
    27: ("confirmed", "No OPEN call begins under an epoch older than its node has confirmed."),
    28: ("exits-pass", "No rule that exists to limit new risk stops an exit."),
    29: ("kill-names", "After the reply to a kill only orders that it names may add risk."),
    30: ("no-blind-risk", "No entry is approved without fresh price, equity, venue and limits."),
    31: ("latch", "A kill is released only by the operator's own command, for what it names."),
    32: ("epoch-rises", "The epoch a node keeps never falls, nor below what it has confirmed."),
    33: ("secrets", "A secret appears in no event, no log line and no answer."),
    34: ("refused-on-record", "An authentic signal refused at the door has its reason on record."),
    35: ("approved", "Every claim is of a leg on record, by a verdict under the limits in force."),
    36: ("not-stale", "No OPEN is claimed on a verdict older than what tightened its account."),
    37: ("held", "No entry is approved on a symbol that an open discrepancy holds."),
    38: ("journals-agree", "At rest node journal and log tell the same of each order."),
    39: (
        "reconciled",
        "At rest every fill is matched, and a discrepancy is open only where the venue differs.",
    ),
    40: (
        "ledger",
        "At rest the ledger is what the log gives again, and its positions are the venue's.",
    ),
    41: ("money", "At rest the venue's money is the start and the deals on record, exactly."),
    42: ("repeats", "At rest any alert, order or entry delivered again changes nothing."),
    43: ("append-only", "What the log once stored it still holds, in order, unchanged."),
    44: (
        "doubt-blocks",
        "No OPEN call begins on a symbol of which the node's disk has an id without an outcome.",
    ),
    45: (
        "restored",
        "A restore keeps what copy, ledger or a journal had, kills all, and no older claim is sent.",
    ),
    46: (
        "told",
        "At rest what is wrong stands told on record, nothing else does, nothing that happened is untold.",
    ),
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


@dataclass(frozen=True, slots=True)
class Court:
    """Where every witness brings what it saw. `tell` writes the story; `now_ns` is true time."""

    verdict: Verdict
    now_ns: Callable[[], int]
    now_s: Callable[[], float]
    tell: Callable[[str | Callable[[], str]], None]

    def check(self, number: int, detail: str | Callable[[], str] = "", *, holds: bool) -> None:
        """One evaluation, now. A `detail` that takes work is given as a function."""
        if holds:
            self.verdict.evaluated[number] += 1
            return
        said = detail if isinstance(detail, str) else detail()
        self.verdict.check(number, holds=False, at_s=self.now_s(), detail=said)
        self.tell(f"VIOLATION {number} {INVARIANTS[number][0]}: {said}")
