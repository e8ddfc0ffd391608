"""The first shape of the ledger.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXACT = sa.Numeric().with_variant(sa.String(), "sqlite")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _alerts()
    _checkpoint()
    _deals()
    _discrepancies()
    _events()
    _fills()
    _legs()
    _matches()
    _orders()
    _signals()
    _trades()
    _verdicts()


def downgrade() -> None:
    """The ledger is made again from the log instead."""
    raise NotImplementedError("use `argos ledger rebuild`")


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("raised_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )


def _checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _deals() -> None:
    op.create_table(
        "deals",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("venue_position_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("price", EXACT, nullable=False),
        sa.Column("position_delta", EXACT, nullable=False),
        sa.Column("commission", EXACT, nullable=False),
        sa.Column("swap", EXACT, nullable=False),
        sa.Column("fee", EXACT, nullable=False),
        sa.Column("fee_asset", sa.Text(), nullable=False),
        sa.Column("profit", EXACT, nullable=False),
        sa.Column("venue_time_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("deals_deal", "deals", ["account", "deal_id"], unique=True)
    op.create_index("deals_trade_id", "deals", ["trade_id"], unique=False)


def _discrepancies() -> None:
    op.create_table(
        "discrepancies",
        sa.Column("discrepancy_id", sa.Text(), nullable=False),
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("actual", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("found_ns", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("trade_id", sa.Text(), nullable=True),
        sa.Column("resolved_ns", sa.BigInteger(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("discrepancy_id"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("appended_ns", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("trade_id", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("signal_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("events_signal_id", "events", ["signal_id"], unique=False)
    op.create_index("events_trade_id", "events", ["trade_id"], unique=False)


def _fills() -> None:
    op.create_table(
        "fills",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("filled_quantity", EXACT, nullable=False),
        sa.Column("average_price", EXACT, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("fills_order", "fills", ["account", "order_id"], unique=False)


def _legs() -> None:
    op.create_table(
        "legs",
        sa.Column("verdict_sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("close_all", sa.Boolean(), nullable=False),
        sa.Column("stop_price", EXACT, nullable=True),
        sa.Column("take_profit_price", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("verdict_sequence", "trade_id", "leg"),
    )
    op.create_index("legs_trade_id", "legs", ["trade_id"], unique=False)


def _matches() -> None:
    op.create_table(
        "matches",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("deal_ids", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("average_price", EXACT, nullable=False),
        sa.Column("intended_price", EXACT, nullable=True),
        sa.Column("slippage", EXACT, nullable=True),
        sa.Column("slippage_cash", EXACT, nullable=True),
        sa.Column("commission", EXACT, nullable=False),
        sa.Column("cost", EXACT, nullable=False),
        sa.Column("latency_ms", EXACT, nullable=True),
        sa.Column("matched_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("matches_order", "matches", ["account", "order_id"], unique=True)


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=True),
        sa.Column("intended_price", EXACT, nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("venue_position_id", sa.Text(), nullable=False),
        sa.Column("filled_quantity", EXACT, nullable=False),
        sa.Column("average_price", EXACT, nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("was_in_doubt", sa.Boolean(), nullable=False),
        sa.Column("claimed_ns", sa.BigInteger(), nullable=True),
        sa.Column("received_ns", sa.BigInteger(), nullable=True),
        sa.Column("journaled_ns", sa.BigInteger(), nullable=True),
        sa.Column("called_ns", sa.BigInteger(), nullable=True),
        sa.Column("returned_ns", sa.BigInteger(), nullable=True),
        sa.Column("first_sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("last_sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "order_id"),
    )
    op.create_index("orders_trade_id", "orders", ["trade_id"], unique=False)


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("bot_version", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", EXACT, nullable=True),
        sa.Column("price", EXACT, nullable=True),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("fired_ns", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("signals_signal_id", "signals", ["signal_id"], unique=False)


def _trades() -> None:
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("bot_version", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("opened_sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("deals", sa.Integer(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("position", EXACT, nullable=False),
        sa.Column("traded", EXACT, nullable=False),
        sa.Column("profit", EXACT, nullable=False),
        sa.Column("commission", EXACT, nullable=False),
        sa.Column("swap", EXACT, nullable=False),
        sa.Column("fee", EXACT, nullable=False),
        sa.Column("slippage_cash", EXACT, nullable=False),
        sa.Column("cost", EXACT, nullable=False),
        sa.Column("latency_ms", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("trade_id", "account"),
    )
    op.create_index("trades_opened_sequence", "trades", ["opened_sequence"], unique=False)


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("sequence", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=True),
        sa.Column("decided_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("verdicts_cause_id", "verdicts", ["cause_id"], unique=False)
