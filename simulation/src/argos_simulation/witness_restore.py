"""The witness of a restore: what may be forgotten by it, and what must not.

What the log says is folded again from the new generation, without judging it: its entries were
judged when they were stored first, and what the procedure itself writes is judged here. What the
venues did, what nodes were asked, what is on their disks and what operators asked for is as it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from argos_bridge.core.restore import Plan
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Journaled
from argos_common.domain.order import OrderDeclined, OrderSubmitting
from argos_common.domain.restore import LogRestored
from argos_common.runtime.log import Entry

from argos_simulation.invariants import Court, Verdict
from argos_simulation.witness import Witness
from argos_simulation.witness_orders import MAY_BE_HELD, OrderWitness
from argos_simulation.witness_risk import RiskWitness


class Backed(Protocol):
    """The last entries that copy and ledger had."""

    @property
    def copy(self) -> int: ...
    @property
    def ledger(self) -> int: ...


class RestoreWitness:
    """`begin`, then `take` each entry of the new generation, then `end`."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._court = witness.court
        self._at_ns = 0
        self._old_claims: dict[OrderId, bytes] = {}

    def begin(self) -> None:
        """From here on the log is another one."""
        witness, court = self._witness, self._court
        self._old_claims = {
            event.order_id: entry.data
            for entry, event in witness.events
            if isinstance(event, OrderSubmitting)
        }
        quiet = Court(Verdict(), lambda: self._at_ns, court.now_s, lambda _: None)
        control = witness.control.again(quiet)
        witness.control = witness.calls.control = control
        witness.orders = OrderWitness(quiet, control, witness.calls, witness.truth)
        witness.risk = RiskWitness(quiet, control, witness.orders.at_stake)
        witness.court = quiet
        for kept in (witness.signals, witness.refused, witness.routes, witness.matched):
            kept.clear()
        witness.events.clear()
        witness.entries.clear()
        witness.digest = hashlib.sha256()

    def take(self, entry: Entry) -> None:
        """An entry of the new generation was stored."""
        self._at_ns = entry.appended_ns
        self._witness.entry(entry)

    def end(self, old: Sequence[Entry], backup: Backed, plan: Plan) -> None:
        """The new generation is whole."""
        witness, court = self._witness, self._court
        for part in (witness, witness.control, witness.orders, witness.risk):
            part.court = court
        last = max(backup.copy, backup.ledger)
        court.tell(
            f"restored: {last} of {len(old)} entries, {plan.restored.places_lost} places kept,"
            f" put back {list(plan.restored.put_back)}"
        )
        court.check(
            45, "an entry is not as it was", holds=witness.entries[:last] == list(old[:last])
        )
        self._orders()
        for account, journal in witness.control.journals.items():
            control, kept = witness.control.now(account), journal.epoch()
            newest = control.killed and control.epoch > kept
            court.check(45, f"{account}: {control}, its node keeps epoch {kept}", holds=newest)
        self._one_live()
        whole = isinstance(witness.events[-1][1], LogRestored)
        court.check(45, "the last entry says nothing of the restore", holds=whole)
        self._forget()

    def _orders(self) -> None:
        """What a journal has of an order is on record, as it was claimed."""
        witness, recorded = self._witness, self._recorded()
        for account, journal in witness.control.journals.items():
            for kept in journal.submitted():
                claim = recorded.get((account, kept.order_id))
                self._court.check(
                    45,
                    f"order {kept.order_id} on {account} is not on record as it was claimed",
                    holds=claim is not None and claim == self._old_claims.get(kept.order_id),
                )

    def _one_live(self) -> None:
        """20: of the attempts at a part that were put back, the venue holds one at most.

        The log may say it of two: what ended the first may be lost, but the second came after it.
        """
        for book in self._witness.orders.books.values():
            live = Counter(
                (order.trade_id, order.leg, order.part)
                for order in book.orders.values()
                if order.state in MAY_BE_HELD and self._may_be_held(book.account, order.order_id)
            )
            twice = [key for key, count in live.items() if count > 1]
            self._court.check(20, f"put back on {book.account}: {twice}", holds=not twice)

    def _may_be_held(self, account: Account, order_id: OrderId) -> bool:
        """As its node or the venue knows. What the journal has an answer to must not be live here."""
        kept = self._witness.control.journals[account].entry(order_id)
        answered = kept is not None and kept.state is Journaled.ANSWERED
        truth = self._witness.truth
        return answered or truth.may_fill(order_id) or bool(truth.filled.get(order_id))

    def _recorded(self) -> dict[tuple[Account, OrderId], bytes]:
        return {
            (event.account, event.order_id): entry.data
            for entry, event in self._witness.events
            if isinstance(event, OrderSubmitting | OrderDeclined)
        }

    def _forget(self) -> None:
        """A claim that is not on record any more never reached its node, and never will."""
        witness, recorded = self._witness, self._recorded()
        claims = witness.truth.claims
        for order_id, claim in list(claims.items()):
            if (claim.account, order_id) in recorded:
                continue
            kept = witness.control.journals[claim.account].entry(order_id)
            untouched = kept is None or kept.state is Journaled.SEALED
            self._court.check(
                45,
                f"order {order_id} is forgotten, its node has it as {kept.state if kept else ''}",
                holds=untouched and not witness.calls.calls[order_id],
            )
            del claims[order_id]
        witness.calls.older |= claims.keys()
