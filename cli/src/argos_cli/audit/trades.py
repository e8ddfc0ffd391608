"""Trades and their timelines, from the log alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, TradeId
from argos_common.domain.order import OrderDeclined, OrderSubmitting
from argos_common.domain.reconcile import OrderMatched
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.times import milliseconds
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import VerdictGiven
from argos_monitor.core.timeline import Moment, Told, moments_of

from argos_cli.client.history import Recorded


@dataclass(slots=True, kw_only=True)
class TradeRow:
    """One trade on one account. Money in the account's currency; `cost` and slippage adverse."""

    trade_id: TradeId
    account: Account
    strategy: str = ""
    symbol: str = ""
    opened_ns: int = 0
    position: Decimal = Decimal(0)
    traded: Decimal = Decimal(0)
    orders: int = 0
    matched: int = 0
    profit: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    slippage_cash: Decimal = Decimal(0)
    latency_ms: Decimal | None = None
    external: bool = False

    @property
    def status(self) -> str:
        if self.position != 0:
            return "open"
        return "closed" if self.traded else "no fill"


def trade_rows(items: Iterable[Recorded]) -> list[TradeRow]:
    """Every trade that got an approved leg or a deal, in the order of their beginning."""
    rows: dict[tuple[str, str], TradeRow] = {}

    def row(trade_id: TradeId, account: Account, at_ns: int) -> TradeRow:
        key = (trade_id, account)
        if key not in rows:
            rows[key] = TradeRow(trade_id=trade_id, account=account, opened_ns=at_ns)
        return rows[key]

    for item in items:
        at_ns = item.entry.appended_ns
        match item.event:
            case VerdictGiven() as verdict:
                for leg in verdict.legs:
                    found = row(leg.trade_id, verdict.account, at_ns)
                    found.strategy = found.strategy or verdict.strategy
                    found.symbol = verdict.symbol
            case OrderSubmitting() as order:
                row(order.trade_id, order.account, at_ns).orders += 1
            case DealRecorded() as event if event.deal.entry is not DealEntry.BALANCE:
                found = row(event.trade_id, event.account, at_ns)
                deal = event.deal
                found.symbol = found.symbol or deal.symbol
                found.external = found.external or event.external
                found.position += deal.position_delta
                found.traded += deal.quantity
                fee = deal.fee if not deal.fee_asset else Decimal(0)
                found.profit += deal.profit + deal.commission + deal.swap + fee
            case OrderMatched() as match:
                found = row(match.trade_id, match.account, at_ns)
                found.matched += 1
                found.cost += match.cost
                found.slippage_cash += match.slippage_cash or Decimal(0)
                if found.latency_ms is None:
                    found.latency_ms = match.latency_ms
            case _:
                pass
    return list(rows.values())


@dataclass(slots=True)
class _Trace:
    trade_id: str
    causes: set[str] = field(default_factory=set)
    orders: set[OrderId] = field(default_factory=set)


def timeline(items: Iterable[Recorded], trade_id: str) -> tuple[Moment, ...]:
    """Everything that belongs to a trade (or to the signal of that id), by time."""
    items = list(items)
    trace = _Trace(trade_id)
    trace.causes.add(trade_id)
    for item in items:
        event = item.event
        if isinstance(event, VerdictGiven) and any(leg.trade_id == trade_id for leg in event.legs):
            trace.causes.add(event.cause_id)
        elif isinstance(event, OrderSubmitting | OrderDeclined) and event.trade_id == trade_id:
            trace.orders.add(event.order_id)
    return moments_of(
        [
            Told(item.entry.sequence, item.entry.appended_ns, item.event)
            for item in items
            if item.event is not None and _belongs(item.event, trace)
        ]
    )


def _belongs(event: Event, trace: _Trace) -> bool:
    match event:
        case SignalAccepted():
            return event.signal_id in trace.causes
        case VerdictGiven():
            return event.cause_id in trace.causes
        case _ if hasattr(event, "order_id") and event.order_id in trace.orders:
            return True
        case _:
            return getattr(event, "trade_id", None) == trace.trade_id


def since_ms(moments: Sequence[Moment]) -> list[tuple[Moment, Decimal]]:
    """Each moment with milliseconds since the gateway had the signal (or since the first)."""
    if not moments:
        return []
    start = next((m.at_ns for m in moments if m.clock == "gateway"), moments[0].at_ns)
    return [(m, milliseconds(m.at_ns - start)) for m in moments]


def matching_trades(items: Iterable[Recorded], prefix: str) -> list[str]:
    """The ids of trades or signals that begin with a text, each once, oldest first."""
    found: dict[str, None] = {}
    for item in items:
        event = item.event
        for candidate in (getattr(event, "trade_id", None), getattr(event, "signal_id", None)):
            if isinstance(candidate, str) and candidate.startswith(prefix):
                found[candidate] = None
        if isinstance(event, VerdictGiven):
            for leg in event.legs:
                if leg.trade_id.startswith(prefix):
                    found[leg.trade_id] = None
    return list(found)
