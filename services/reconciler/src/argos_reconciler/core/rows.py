"""The rows of the ledger's tables, each made from one event."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.event import Event
from argos_common.domain.ids import Account, TradeId
from argos_common.domain.order import OrderDeclined, OrderState, OrderSubmitting
from argos_common.domain.reconcile import AlertRaised, DiscrepancyFound, OrderMatched
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import VerdictGiven

Value = str | int | Decimal | bytes | bool | None
Row = dict[str, Value]
OrderKey = tuple[str, str]
TradeKey = tuple[str, str]

START = "0" * 64
"""The hash before the first entry."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the log and what it says; `event` None if it cannot be decoded."""

    sequence: int
    subject: str
    appended_ns: int
    raw: bytes
    event: Event | None


@dataclass(slots=True)
class Rows:
    """Rows by table. `added`: only ever inserted. The others: as they are now, by key."""

    added: dict[str, list[Row]] = field(default_factory=dict)
    orders: dict[OrderKey, Row] = field(default_factory=dict)
    trades: dict[TradeKey, Row] = field(default_factory=dict)
    discrepancies: dict[str, Row] = field(default_factory=dict)

    def add(self, table: str, row: Row) -> None:
        self.added.setdefault(table, []).append(row)


def chain(previous: str, sequence: int, subject: str, raw: bytes) -> str:
    """The hash after one more entry: SHA-256 over the hash before it and all of the entry."""
    name = subject.encode()
    head = f"{previous} {sequence} {len(name)} ".encode()
    return hashlib.sha256(head + name + raw).hexdigest()


def signal_row(sequence: int, event: SignalAccepted) -> Row:
    """The row of an accepted signal."""
    return {
        "sequence": sequence,
        "signal_id": event.signal_id,
        "source": event.source,
        "accepted": True,
        "strategy": event.strategy,
        "bot_version": event.bot_version,
        "symbol": event.symbol,
        "action": event.action.name,
        "side": event.side.name if event.side else "",
        "quantity": event.quantity,
        "price": event.price,
        "received_ns": event.received_at_ns,
        "fired_ns": event.fired_at_ns,
        "code": "",
        "sentence": "",
    }


def refused_row(sequence: int, event: SignalRefused) -> Row:
    """The row of a signal refused at the door."""
    return {
        "sequence": sequence,
        "signal_id": event.signal_id,
        "source": event.source,
        "accepted": False,
        "strategy": event.strategy,
        "bot_version": "",
        "symbol": event.symbol,
        "action": "",
        "side": "",
        "quantity": None,
        "price": None,
        "received_ns": event.received_at_ns,
        "fired_ns": None,
        "code": event.code,
        "sentence": event.sentence,
    }


def verdict_row(sequence: int, event: VerdictGiven) -> Row:
    """The row of a verdict."""
    return {
        "sequence": sequence,
        "account": event.account,
        "cause_id": event.cause_id,
        "origin": event.origin.name,
        "strategy": event.strategy,
        "symbol": event.symbol,
        "decision": event.decision.name,
        "change": event.change.name,
        "reason": event.reason,
        "trade_id": event.trade_id,
        "decided_ns": event.facts.now_ns,
    }


def new_trade(trade_id: TradeId, account: Account, item: Item) -> Row:
    """The row of a trade of which nothing is known yet."""
    return {
        "trade_id": trade_id,
        "account": account,
        "strategy": "",
        "bot_version": "",
        "symbol": "",
        "external": False,
        "opened_sequence": item.sequence,
        "opened_ns": item.appended_ns,
        "last_sequence": item.sequence,
        "last_ns": item.appended_ns,
        "orders": 0,
        "deals": 0,
        "matched": 0,
        "position": Decimal(0),
        "traded": Decimal(0),
        "profit": Decimal(0),
        "commission": Decimal(0),
        "swap": Decimal(0),
        "fee": Decimal(0),
        "slippage_cash": Decimal(0),
        "cost": Decimal(0),
        "latency_ms": None,
    }


def new_order(item: Item, event: OrderSubmitting | OrderDeclined) -> Row:
    """The row of an order before its first event."""
    row: Row = {
        "account": event.account,
        "order_id": event.order_id,
        "trade_id": event.trade_id,
        "cause_id": event.cause_id,
        "symbol": event.symbol,
        "leg": event.leg,
        "part": event.part,
        "attempt": event.attempt,
        "state": OrderState.NEW.name,
        "effect": "",
        "side": "",
        "quantity": None,
        "intended_price": None,
        "venue_order_id": "",
        "venue_position_id": "",
        "filled_quantity": Decimal(0),
        "average_price": None,
        "code": "",
        "sentence": "",
        "was_in_doubt": False,
        "claimed_ns": None,
        "received_ns": None,
        "journaled_ns": None,
        "called_ns": None,
        "returned_ns": None,
        "first_sequence": item.sequence,
        "last_sequence": item.sequence,
        "last_ns": item.appended_ns,
    }
    if isinstance(event, OrderSubmitting):
        row["effect"], row["side"] = event.effect.name, event.side.name
        row["quantity"], row["intended_price"] = event.quantity, event.intended_price
        row["claimed_ns"] = event.claimed_at_ns
    return row


def deal_row(sequence: int, event: DealRecorded) -> Row:
    """The row of a deal."""
    deal = event.deal
    return {
        "sequence": sequence,
        "account": event.account,
        "deal_id": deal.deal_id,
        "trade_id": event.trade_id,
        "order_id": deal.order_id,
        "how": event.how,
        "external": event.external,
        "venue_order_id": deal.venue_order_id,
        "venue_position_id": deal.venue_position_id,
        "symbol": deal.symbol,
        "side": deal.side.name,
        "entry": deal.entry.name,
        "reason": deal.reason.name,
        "quantity": deal.quantity,
        "price": deal.price,
        "position_delta": deal.position_delta,
        "commission": deal.commission,
        "swap": deal.swap,
        "fee": deal.fee,
        "fee_asset": deal.fee_asset,
        "profit": deal.profit,
        "venue_time_ns": deal.venue_time_ns,
    }


def match_row(sequence: int, event: OrderMatched) -> Row:
    """The row of a match."""
    return {
        "sequence": sequence,
        "account": event.account,
        "order_id": event.order_id,
        "trade_id": event.trade_id,
        "method": event.method.name,
        "deal_ids": " ".join(event.deal_ids),
        "quantity": event.quantity,
        "average_price": event.average_price,
        "intended_price": event.intended_price,
        "slippage": event.slippage,
        "slippage_cash": event.slippage_cash,
        "commission": event.commission,
        "cost": event.cost,
        "latency_ms": event.latency_ms,
        "matched_ns": event.matched_at_ns,
    }


def found_row(sequence: int, event: DiscrepancyFound) -> Row:
    """The row of an open discrepancy."""
    return {
        "discrepancy_id": event.discrepancy_id,
        "sequence": sequence,
        "account": event.account,
        "symbol": event.symbol,
        "kind": event.kind.name,
        "expected": event.expected,
        "actual": event.actual,
        "sentence": event.sentence,
        "since_ns": event.since_ns,
        "found_ns": event.found_at_ns,
        "order_id": event.order_id,
        "trade_id": event.trade_id,
        "resolved_ns": None,
        "how": "",
        "actor": "",
    }


def alert_row(sequence: int, event: AlertRaised) -> Row:
    """The row of an alert."""
    return {
        "sequence": sequence,
        "alert_id": event.alert_id,
        "level": event.level,
        "code": event.code,
        "sentence": event.sentence,
        "account": event.account,
        "trade_id": event.trade_id,
        "raised_ns": event.raised_at_ns,
    }
