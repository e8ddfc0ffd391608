"""What the venues themselves recorded, by order id: read from their own records and nothing else.

The broker's record says what it was sent and what it did, whatever it answered and whatever its
terminals show; the paper venue's executions say the same. An order is ours by the tag or the number
that it was sent with, however little of them the books kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.ids import Account, OrderId, order_id_of_tag, tag
from argos_common.domain.order import OrderSubmitting
from argos_exchange_node.adapters.memory_store import MemoryStore as PaperStore
from argos_mt5_node.simulator import constants as mt5
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.records import BrokerEntry

from argos_simulation import fleet
from argos_simulation.process import Process

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a venue did: it took an order (`filled` 0) or filled a part of one.

    `order_id` None: sent by us as it seems, but nothing says for which order. `position`: the
    broker's position that a fill went into.
    """

    account: Account
    order_id: OrderId | None
    filled: Decimal
    what: str
    position: int = 0
    opens: bool = False


@dataclass(slots=True)
class Call:
    """A call to a venue under way in a process."""

    process: Process


@dataclass(slots=True)
class VenueTruth:
    """`accepted`, `filled`: orders taken and quantities filled, per order id."""

    broker: SimulatedBroker
    paper: PaperStore
    claims: dict[OrderId, OrderSubmitting]
    accepted: Counter[OrderId] = field(default_factory=Counter)
    filled: dict[OrderId, Decimal] = field(default_factory=dict)
    positions: dict[int, OrderId] = field(default_factory=dict)
    """A broker's position -> the order of ours that opened it."""
    calling: dict[OrderId, Call] = field(default_factory=dict)
    _by_magic: dict[int, OrderId] = field(default_factory=dict)
    _logins: dict[int, Account] = field(
        default_factory=lambda: {login: account for account, login in fleet.LOGINS.items()}
    )
    _broker_read: int = 0
    _paper_read: int = 0
    _paper_known: dict[str, Decimal] = field(default_factory=dict)

    def claimed(self, claim: OrderSubmitting) -> None:
        self._by_magic[claim.magic] = claim.order_id

    def news(self) -> Iterator[Fact]:
        """What the venues did since the last look."""
        record = self.broker.record
        while self._broker_read < len(record):
            entry = record[self._broker_read]
            self._broker_read += 1
            if entry.origin == "expert" and entry.kind in ("order", "deal"):
                yield self._of_broker(entry)
        executions = self.paper.executions
        while self._paper_read < len(executions):
            execution = executions[self._paper_read]
            self._paper_read += 1
            for order in execution.orders:
                found = order_id_of_tag(order.client_id)
                if found is None or order.client_id != tag(found):
                    continue  # a protective order that the venue made of ours
                known = self._paper_known.get(order.venue_order_id)
                if known is None:
                    self.accepted[found] += 1
                    yield Fact(fleet.SPOT, found, ZERO, f"order {order.venue_order_id}")
                more = order.filled_quantity - (known or ZERO)
                self._paper_known[order.venue_order_id] = order.filled_quantity
                if more:
                    self.filled[found] = self.filled.get(found, ZERO) + more
                    yield Fact(fleet.SPOT, found, more, f"order {order.venue_order_id}")

    def _of_broker(self, entry: BrokerEntry) -> Fact:
        found = order_id_of_tag(entry.comment) or self._by_magic.get(entry.magic)
        filled = entry.volume if entry.kind == "deal" else ZERO
        opens = entry.kind == "deal" and entry.entry == mt5.ENTRY_IN
        if found is not None:
            if entry.kind == "order":
                self.accepted[found] += 1
            else:
                self.filled[found] = self.filled.get(found, ZERO) + filled
            if opens and entry.position_id:
                self.positions.setdefault(entry.position_id, found)
        what = f"{entry.kind} {entry.deal or entry.order} at the broker"
        return Fact(self._logins[entry.login], found, filled, what, entry.position_id, opens)

    def held(self, account: Account) -> dict[str, Decimal]:
        """Signed quantity per symbol, by the venue's own books."""
        login = fleet.LOGINS.get(account)
        if login is None:
            return {"BTCUSD": self.paper.load().held("BTC")}
        held: dict[str, Decimal] = {}
        for position in self.broker.book(login).positions.values():
            sign = 1 if position.type == mt5.BUY else -1
            held[position.symbol] = held.get(position.symbol, ZERO) + sign * position.volume
        return held

    def account_of(self, login: int) -> Account:
        return self._logins[login]

    def may_fill(self, order_id: OrderId) -> bool:
        """Whether the venue may still begin to fill it: a call under way, or put off by the broker."""
        call = self.calling.get(order_id)
        if call is not None and call.process.alive:
            return True
        for item in self.broker.state.scheduled:
            found = order_id_of_tag(item.request.comment) or self._by_magic.get(item.request.magic)
            if found == order_id:
                return True
        return False

    def trades_held(self, account: Account) -> set[str]:
        """Trades that really hold a position, where each position is one trade's (hedging)."""
        if account != fleet.HEDGE:
            return set()
        owners = (
            self.positions.get(each.identifier)
            for each in self.broker.book(fleet.LOGINS[account]).positions.values()
        )
        return {self.claims[each].trade_id for each in owners if each in self.claims}

    def stop_of(self, account: Account, position: int) -> Decimal | None:
        """The stop that the broker keeps with a position; None if the position is gone."""
        for each in self.broker.book(fleet.LOGINS[account]).positions.values():
            if each.identifier == position:
                return each.sl
        return None
