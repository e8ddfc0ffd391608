"""The witness at the venues: every call of a last hop as it begins, and what the venues did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Submission
from argos_common.domain.order import OrderSubmitting
from argos_common.domain.times import NS_PER_S
from argos_common.domain.verdict import Effect, Leg
from argos_common.lasthop.lease import TTL_NS
from argos_risk.core.lease import CONFIRMED_MAX_NS

from argos_simulation.invariants import Court
from argos_simulation.process import Process
from argos_simulation.truth import Call, Fact, VenueTruth
from argos_simulation.witness_control import ControlWitness

ZERO = Decimal(0)
LegOf = dict[tuple[Account, str, int], Leg]


@dataclass(slots=True)
class CallWitness:
    """`legs`: every approved leg. `never_sent`: ids that are said never to be sent."""

    court: Court
    control: ControlWitness
    truth: VenueTruth
    legs: LegOf
    calls: Counter[OrderId] = field(default_factory=Counter)
    never_sent: dict[OrderId, str] = field(default_factory=dict)
    opened: dict[OrderId, tuple[Account, int]] = field(default_factory=dict)
    """OPEN orders -> account and true time of their first call."""
    submissions: dict[OrderId, Submission] = field(default_factory=dict)
    filled: dict[tuple[Account, str, int], Decimal] = field(default_factory=dict)
    """What each leg's orders filled at the venue."""
    older: set[OrderId] = field(default_factory=set)
    """Claims on record from before a restore."""

    def begins(self, submission: Submission, process: Process, node_now_ns: int) -> None:
        """A last hop begins to call its venue."""
        order_id, court = submission.order_id, self.court
        court.tell(f"venue call {submission.account} {order_id} {submission.effect.name}")
        self.calls[order_id] += 1
        self.submissions.setdefault(order_id, submission)
        self.truth.calling[order_id] = Call(process)
        court.check(1, f"order {order_id} on {submission.account}", holds=self.calls[order_id] == 1)
        claim = self.truth.claims.get(order_id)
        court.check(
            3,
            lambda: f"order {order_id}: {submission}",
            holds=claim is not None and _alike(claim, submission),
        )
        court.check(
            11,
            f"order {order_id} is sent, though {self.never_sent.get(order_id)}",
            holds=order_id not in self.never_sent,
        )
        if self.older:
            court.check(45, f"order {order_id} is sent again", holds=order_id not in self.older)
        late_ns = node_now_ns - submission.deadline_ns
        court.check(
            26,
            f"order {order_id}, {late_ns / NS_PER_S:.3f} s after its deadline",
            holds=late_ns <= 0,
        )
        if submission.effect is Effect.OPEN:
            self._opens(submission)

    def _opens(self, submission: Submission) -> None:
        order_id, account, court = submission.order_id, submission.account, self.court
        since_ns = self.control.barred_since_ns(account, submission.epoch)
        late_ns = 0 if since_ns is None else court.now_ns() - since_ns
        court.check(
            6,
            f"order {order_id} on {account}, {late_ns / NS_PER_S:.3f} s after",
            holds=late_ns <= CONFIRMED_MAX_NS + TTL_NS,
        )
        confirmed = self.control.confirmed.get(account, 0)
        court.check(
            27,
            f"order {order_id} on {account} under epoch {submission.epoch}, confirmed {confirmed}",
            holds=submission.epoch >= confirmed,
        )
        open_ids = [
            each.order_id
            for each in self.control.journals[account].unresolved()
            if each.submission is not None
            and each.submission.symbol == submission.symbol
            and each.order_id != order_id
        ]
        court.check(44, f"order {order_id} on {account} beside {open_ids}", holds=not open_ids)
        self.opened.setdefault(order_id, (account, court.now_ns()))
        self.control.named(account, order_id)
        claim = self.truth.claims.get(order_id)
        leg = self.legs.get((account, claim.trade_id, claim.leg)) if claim else None
        if leg is not None and leg.stop_price is not None:
            court.check(
                25,
                f"order {order_id}: stop {submission.stop_price}, approved {leg.stop_price}",
                holds=submission.stop_price == leg.stop_price,
            )

    def ends(self, order_id: OrderId) -> None:
        """The call returned to the last hop."""
        self.truth.calling.pop(order_id, None)

    def look(self) -> list[OrderSubmitting]:
        """Take in what the venues did; the claims of the orders that something happened to."""
        touched = []
        for fact in self.truth.news():
            claim = self.truth.claims.get(fact.order_id) if fact.order_id else None
            self.court.check(3, partial("{} without a claim".format, fact), holds=claim is not None)
            if claim is None:
                continue
            self._fact(fact, claim)
            touched.append(claim)
        return touched

    def _fact(self, fact: Fact, claim: OrderSubmitting) -> None:
        order_id = claim.order_id
        if not fact.filled:
            taken = self.truth.accepted[order_id]
            self.court.check(2, f"order {order_id}: {taken} at the venue", holds=taken <= 1)
            return
        key = (claim.account, claim.trade_id, claim.leg)
        self.filled[key] = self.filled.get(key, ZERO) + fact.filled
        leg = self.legs.get(key)
        if leg is not None and not leg.close_all:
            self.court.check(
                4,
                lambda: f"{key}: {self.filled[key]} of {leg.quantity}",
                holds=self.filled[key] <= leg.quantity,
            )
        if fact.opens and leg is not None and leg.stop_price is not None:
            stop = self.truth.stop_of(fact.account, fact.position)
            self.court.check(
                25,
                f"order {order_id}: position {fact.position} stands without its stop",
                holds=stop is None or stop != 0,
            )


def _alike(claim: OrderSubmitting, submission: Submission) -> bool:
    """Whether a call says what was claimed, in everything that the venue gets to see."""
    names = (
        "account", "symbol", "venue_symbol", "side", "effect", "quantity", "deadline_ns", "epoch",
        "tag", "magic", "position_ref", "stop_price", "take_profit_price",
    )  # fmt: skip
    return all(getattr(claim, name) == getattr(submission, name) for name in names)
