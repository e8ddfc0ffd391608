"""The ledger's rows, as a fold over the log: what people query, made from events alone.

`fold(rows, item)` takes one entry into `rows`. Rows that events only add are appended; those that
later events change (orders, trades, discrepancies) are looked up by key, so whoever stores them
loads the ones that `wanted` names before it folds. The same entries in the same order give the
same rows, however they are cut into batches.

A value is text, an integer, a Decimal, bytes, True/False or None; times are nanoseconds.
Decimals are exact. `position` is the sum of the deals' position deltas, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.event import Event
from argos_common.domain.ids import Account, TradeId
from argos_common.domain.order import (
    Hops,
    OrderAcknowledged,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderState,
    OrderSubmitting,
    next_state,
)
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import VerdictGiven

from argos_reconciler.core.rows import (
    Item,
    OrderKey,
    Row,
    Rows,
    TradeKey,
    Value,
    alert_row,
    deal_row,
    found_row,
    match_row,
    new_order,
    new_trade,
    refused_row,
    signal_row,
    verdict_row,
)


@dataclass(slots=True)
class Wanted:
    """The keys of rows that a batch may change. Ordered, each once."""

    orders: dict[OrderKey, None] = field(default_factory=dict)
    trades: dict[TradeKey, None] = field(default_factory=dict)
    discrepancies: dict[str, None] = field(default_factory=dict)


def wanted(items: Iterable[Item]) -> Wanted:
    """Which rows these entries may change."""
    keys = Wanted()
    for item in items:
        match item.event:
            case OrderSubmitting() | OrderDeclined() | OrderMatched() as event:
                keys.orders[event.account, event.order_id] = None
                keys.trades[event.trade_id, event.account] = None
            case VerdictGiven() as event:
                for leg in event.legs:
                    keys.trades[leg.trade_id, event.account] = None
            case DealRecorded() as event:
                keys.trades[event.trade_id, event.account] = None
            case DiscrepancyFound() | DiscrepancyResolved() as event:
                keys.discrepancies[event.discrepancy_id] = None
            case event if isinstance(event, OrderEvent):
                keys.orders[event.account, event.order_id] = None
            case _:
                pass
    return keys


def fold_all(rows: Rows, items: Sequence[Item]) -> None:
    """Take entries into the rows, in order."""
    for item in items:
        fold(rows, item)


def fold(rows: Rows, item: Item) -> None:
    """Take one entry into the rows."""
    event, trade_id = item.event, _trade_of(rows, item.event)
    rows.add(
        "events",
        {
            "sequence": item.sequence,
            "subject": item.subject,
            "appended_ns": item.appended_ns,
            "raw": item.raw,
            "kind": type(event).__name__ if event is not None else "DeadLetter",
            "account": _text(event, "account"),
            "trade_id": trade_id,
            "order_id": _text(event, "order_id"),
            "signal_id": _text(event, "signal_id")
            or (event.cause_id if isinstance(event, VerdictGiven) else None),
        },
    )
    match event:
        case SignalAccepted():
            rows.add("signals", signal_row(item.sequence, event))
        case SignalRefused():
            rows.add("signals", refused_row(item.sequence, event))
        case VerdictGiven():
            _verdict(rows, item, event)
        case DealRecorded():
            _deal(rows, item, event)
        case OrderMatched():
            _matched(rows, item, event)
        case DiscrepancyFound():
            _found(rows, item, event)
        case DiscrepancyResolved():
            _resolved(rows, item, event)
        case AlertRaised():
            rows.add("alerts", alert_row(item.sequence, event))
        case _ if isinstance(event, OrderEvent):
            _order(rows, item, event)
        case _:
            pass


def _text(event: Event | None, name: str) -> str | None:
    value = getattr(event, name, None)
    return value or None


def _trade_of(rows: Rows, event: Event | None) -> str | None:
    """The trade an entry belongs to; some events name only the order, or the discrepancy."""
    named = _text(event, "trade_id")
    if named is None and isinstance(event, OrderEvent):
        row = rows.orders.get((event.account, event.order_id))
        return str(row["trade_id"]) if row is not None else None
    if isinstance(event, DiscrepancyResolved):
        row = rows.discrepancies.get(event.discrepancy_id)
        return str(row["trade_id"]) if row is not None and row["trade_id"] else None
    return named


def _verdict(rows: Rows, item: Item, event: VerdictGiven) -> None:
    rows.add("verdicts", verdict_row(item.sequence, event))
    for leg in event.legs:
        rows.add(
            "legs",
            {
                "verdict_sequence": item.sequence,
                "account": event.account,
                "trade_id": leg.trade_id,
                "leg": leg.leg,
                "cause_id": event.cause_id,
                "effect": leg.effect.name,
                "side": leg.side.name,
                "quantity": leg.quantity,
                "close_all": leg.close_all,
                "stop_price": leg.stop_price,
                "take_profit_price": leg.take_profit_price,
            },
        )
        trade = _trade(rows, leg.trade_id, event.account, item)
        trade["strategy"] = trade["strategy"] or event.strategy
        trade["bot_version"] = trade["bot_version"] or event.bot_version
        trade["symbol"] = trade["symbol"] or event.symbol


def _trade(rows: Rows, trade_id: TradeId, account: Account, item: Item) -> Row:
    key = (str(trade_id), str(account))
    row = rows.trades.get(key)
    if row is None:
        row = rows.trades[key] = new_trade(trade_id, account, item)
    row["last_sequence"], row["last_ns"] = item.sequence, item.appended_ns
    return row


def _order(rows: Rows, item: Item, event: OrderEvent) -> None:
    key = (str(event.account), str(event.order_id))
    row = rows.orders.get(key)
    if row is None:
        if not isinstance(event, OrderSubmitting | OrderDeclined):
            return  # its events row is kept; without a submission it is no order
        row = rows.orders[key] = new_order(item, event)
        trade = _trade(rows, event.trade_id, event.account, item)
        trade["orders"] = _int(trade["orders"]) + isinstance(event, OrderSubmitting)
    state = next_state(OrderState[str(row["state"])], event)
    if state is not None:
        row["state"] = state.name
    row["last_sequence"], row["last_ns"] = item.sequence, item.appended_ns
    match event:
        case OrderAcknowledged():
            row["venue_order_id"] = event.venue_order_id
            _hops(row, event.hops)
        case OrderRefused():
            row["code"], row["sentence"] = event.code, event.sentence
            _hops(row, event.hops)
        case OrderDeclined():
            row["code"], row["sentence"] = event.code, event.sentence
        case OrderInDoubt():
            row["was_in_doubt"], row["sentence"] = True, event.cause
        case OrderFilled():
            _fill(rows, item, event, row)
        case _:
            pass


def _hops(row: Row, hops: Hops) -> None:
    for name in ("received_ns", "journaled_ns", "called_ns", "returned_ns"):
        row[name] = getattr(hops, name) or row[name]


def _fill(rows: Rows, item: Item, event: OrderFilled, row: Row) -> None:
    row["venue_order_id"] = event.venue_order_id or row["venue_order_id"]
    row["venue_position_id"] = event.venue_position_id or row["venue_position_id"]
    if event.filled_quantity >= _decimal(row["filled_quantity"]):
        row["filled_quantity"], row["average_price"] = event.filled_quantity, event.average_price
    _hops(row, event.hops)
    rows.add(
        "fills",
        {
            "sequence": item.sequence,
            "account": event.account,
            "order_id": event.order_id,
            "trade_id": row["trade_id"],
            "filled_quantity": event.filled_quantity,
            "average_price": event.average_price,
            "done": event.done,
            "evidence": event.evidence,
            "at_ns": event.at_ns,
        },
    )


def _deal(rows: Rows, item: Item, event: DealRecorded) -> None:
    deal = event.deal
    rows.add("deals", deal_row(item.sequence, event))
    if deal.entry is DealEntry.BALANCE:
        return
    trade = _trade(rows, event.trade_id, event.account, item)
    trade["symbol"] = trade["symbol"] or deal.symbol
    trade["external"] = bool(trade["external"]) or event.external
    trade["deals"] = _int(trade["deals"]) + 1
    for name, amount in (
        ("position", deal.position_delta),
        ("traded", deal.quantity),
        ("profit", deal.profit),
        ("commission", deal.commission),
        ("swap", deal.swap),
        ("fee", deal.fee),
    ):
        trade[name] = _decimal(trade[name]) + amount


def _matched(rows: Rows, item: Item, event: OrderMatched) -> None:
    rows.add("matches", match_row(item.sequence, event))
    trade = _trade(rows, event.trade_id, event.account, item)
    trade["matched"] = _int(trade["matched"]) + 1
    trade["cost"] = _decimal(trade["cost"]) + event.cost
    trade["slippage_cash"] = _decimal(trade["slippage_cash"]) + (event.slippage_cash or Decimal(0))
    if trade["latency_ms"] is None:
        trade["latency_ms"] = event.latency_ms


def _found(rows: Rows, item: Item, event: DiscrepancyFound) -> None:
    rows.discrepancies[event.discrepancy_id] = found_row(item.sequence, event)


def _resolved(rows: Rows, item: Item, event: DiscrepancyResolved) -> None:
    del item
    row = rows.discrepancies.get(event.discrepancy_id)
    if row is not None and row["resolved_ns"] is None:
        row["resolved_ns"] = event.resolved_at_ns
        row["how"], row["actor"] = event.how, event.actor


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _decimal(value: Value) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)
