"""The ledger's tables. Exact on both dialects: Decimals are NUMERIC on Postgres, text on SQLite.

Their history is in `migrations`; a test compares both.
"""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.money import plain
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class TextDecimal(TypeDecorator[Decimal]):
    """A Decimal as canonical text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else plain(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        del dialect
        return None if value is None else Decimal(value)


EXACT = Numeric().with_variant(TextDecimal(), "sqlite")
NS = BigInteger()
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's own row id


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


def _exact(name: str, *, optional: bool = False) -> Column[Decimal]:
    return Column(name, EXACT, nullable=optional)


def _ns(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, NS, nullable=optional)


def _sequence(name: str = "sequence", *, key: bool = False) -> Column[int]:
    return Column(name, SEQUENCE, primary_key=key, nullable=False, autoincrement=False)


def _texts(*names: str) -> list[Column[str]]:
    return [_text(name) for name in names]


def _exacts(*names: str) -> list[Column[Decimal]]:
    return [_exact(name) for name in names]


checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    *_texts("generation"),
    _sequence(),
    *_texts("hash"),
)

events = Table(
    "events",
    metadata,
    _sequence(key=True),
    _text("subject"),
    _ns("appended_ns"),
    Column("raw", LargeBinary, nullable=False),
    _text("kind"),
    _text("account", optional=True),
    _text("trade_id", optional=True),
    _text("order_id", optional=True),
    _text("signal_id", optional=True),
    Index("events_trade_id", "trade_id"),
    Index("events_signal_id", "signal_id"),
)

signals = Table(
    "signals",
    metadata,
    _sequence(key=True),
    *_texts("signal_id", "source"),
    Column("accepted", Boolean, nullable=False),
    *_texts("strategy", "bot_version", "symbol", "action", "side"),
    _exact("quantity", optional=True),
    _exact("price", optional=True),
    _ns("received_ns"),
    _ns("fired_ns", optional=True),
    *_texts("code", "sentence"),
    Index("signals_signal_id", "signal_id"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _sequence(key=True),
    *_texts("account", "cause_id", "origin", "strategy", "symbol", "decision", "change", "reason"),
    _text("trade_id", optional=True),
    _ns("decided_ns"),
    Index("verdicts_cause_id", "cause_id"),
)

legs = Table(
    "legs",
    metadata,
    _sequence("verdict_sequence", key=True),
    Column("account", Text, nullable=False),
    Column("trade_id", Text, primary_key=True),
    Column("leg", Integer, primary_key=True, autoincrement=False),
    *_texts("cause_id", "effect", "side"),
    _exact("quantity"),
    Column("close_all", Boolean, nullable=False),
    _exact("stop_price", optional=True),
    _exact("take_profit_price", optional=True),
    Index("legs_trade_id", "trade_id"),
)

orders = Table(
    "orders",
    metadata,
    Column("account", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    *_texts("trade_id", "cause_id", "symbol"),
    Column("leg", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    *_texts("state", "effect", "side"),
    _exact("quantity", optional=True),
    _exact("intended_price", optional=True),
    *_texts("venue_order_id", "venue_position_id"),
    _exact("filled_quantity"),
    _exact("average_price", optional=True),
    *_texts("code", "sentence"),
    Column("was_in_doubt", Boolean, nullable=False),
    _ns("claimed_ns", optional=True),
    _ns("received_ns", optional=True),
    _ns("journaled_ns", optional=True),
    _ns("called_ns", optional=True),
    _ns("returned_ns", optional=True),
    _sequence("first_sequence"),
    _sequence("last_sequence"),
    _ns("last_ns"),
    Index("orders_trade_id", "trade_id"),
)

fills = Table(
    "fills",
    metadata,
    _sequence(key=True),
    *_texts("account", "order_id", "trade_id"),
    *_exacts("filled_quantity", "average_price"),
    Column("done", Boolean, nullable=False),
    _text("evidence"),
    _ns("at_ns"),
    Index("fills_order", "account", "order_id"),
)

deals = Table(
    "deals",
    metadata,
    _sequence(key=True),
    *_texts("account", "deal_id", "trade_id"),
    _text("order_id", optional=True),
    _text("how"),
    Column("external", Boolean, nullable=False),
    *_texts("venue_order_id", "venue_position_id", "symbol", "side", "entry", "reason"),
    *_exacts("quantity", "price", "position_delta", "commission", "swap", "fee"),
    _text("fee_asset"),
    _exact("profit"),
    _ns("venue_time_ns"),
    Index("deals_deal", "account", "deal_id", unique=True),
    Index("deals_trade_id", "trade_id"),
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    *_texts("strategy", "bot_version", "symbol"),
    Column("external", Boolean, nullable=False),
    _sequence("opened_sequence"),
    _ns("opened_ns"),
    _sequence("last_sequence"),
    _ns("last_ns"),
    Column("orders", Integer, nullable=False),
    Column("deals", Integer, nullable=False),
    Column("matched", Integer, nullable=False),
    *_exacts("position", "traded", "profit", "commission", "swap", "fee"),
    *_exacts("slippage_cash", "cost"),
    _exact("latency_ms", optional=True),
    Index("trades_opened_sequence", "opened_sequence"),
)

matches = Table(
    "matches",
    metadata,
    _sequence(key=True),
    *_texts("account", "order_id", "trade_id", "method", "deal_ids"),
    *_exacts("quantity", "average_price"),
    _exact("intended_price", optional=True),
    _exact("slippage", optional=True),
    _exact("slippage_cash", optional=True),
    *_exacts("commission", "cost"),
    _exact("latency_ms", optional=True),
    _ns("matched_ns"),
    Index("matches_order", "account", "order_id", unique=True),
)

discrepancies = Table(
    "discrepancies",
    metadata,
    Column("discrepancy_id", Text, primary_key=True),
    _sequence(),
    *_texts("account", "symbol", "kind", "expected", "actual", "sentence"),
    _ns("since_ns"),
    _ns("found_ns"),
    _text("order_id", optional=True),
    _text("trade_id", optional=True),
    _ns("resolved_ns", optional=True),
    *_texts("how", "actor"),
)

alerts = Table(
    "alerts",
    metadata,
    _sequence(key=True),
    *_texts("alert_id", "level", "code", "sentence", "account", "trade_id"),
    _ns("raised_ns"),
)

ADDED = {
    table.name: table for table in (events, signals, verdicts, legs, fills, deals, matches, alerts)
}
"""Tables whose rows are only ever added."""
