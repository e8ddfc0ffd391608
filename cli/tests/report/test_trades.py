"""Trades as rows: what was opened and closed, what it cost, and why it ended."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from argos_cli.client.history import Recorded
from argos_cli.report.orders import RunFold
from argos_cli.report.trades import COLUMNS, TradeLine, trade_lines, trades_csv
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, SignalId, Strategy, Symbol, TradeId
from argos_common.domain.order import Hops, OrderFilled, OrderSubmitting
from argos_common.domain.reconcile import MatchMethod, OrderMatched
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealEntry, DealReason, DealRecorded
from argos_common.domain.verdict import Effect
from argos_common.runtime.log import Entry

SECOND = 1_000_000_000
TRADE, ACCOUNT = TradeId("11111111-1111-5111-8111-111111111111"), Account("mt5-hedge")


def fold(*events: Event) -> RunFold:
    found = RunFold()
    for number, event in enumerate(events, start=1):
        entry = Entry(sequence=number, subject="s", data=b"", appended_ns=number * SECOND)
        found.take(Recorded(entry, event))
    return found


def submitting(order_id: str = "order1", **changes: object) -> OrderSubmitting:
    values: dict[str, object] = {
        "order_id": OrderId(order_id), "account": ACCOUNT, "trade_id": TRADE,
        "cause_id": SignalId(TRADE), "strategy": Strategy("trend"), "bot_version": "v", "leg": 1,
        "part": 1, "attempt": 1, "symbol": Symbol("EURUSD"), "venue_symbol": "EURUSD",
        "side": Side.BUY, "effect": Effect.OPEN, "quantity": Decimal("0.1"), "deadline_ns": 1,
        "control_sequence": 1, "epoch": 1, "lease": "", "tag": "a1" + order_id, "magic": 1,
        "writer": "w", "claimed_at_ns": 1, "verdict_sequence": 1,
    }  # fmt: skip
    return OrderSubmitting(**(values | changes))  # type: ignore[arg-type]  # a builder


def deal(deal_id: str, side: Side, price: str, **changes: object) -> DealRecorded:
    values: dict[str, object] = {
        "deal_id": deal_id, "venue_order_id": "1", "venue_position_id": "9",
        "symbol": Symbol("EURUSD"), "venue_symbol": "EURUSD", "side": side, "entry": DealEntry.IN,
        "reason": DealReason.OURS, "quantity": Decimal("0.1"), "price": Decimal(price),
        "commission": Decimal("-0.35"), "swap": Decimal(0), "fee": Decimal(0),
        "profit": Decimal(0), "position_delta": side.sign * Decimal("0.1"),
        "venue_time_ns": int(deal_id) * SECOND, "order_id": OrderId("order1"),
    }  # fmt: skip
    return DealRecorded(
        account=ACCOUNT,
        deal=Deal(**(values | changes)),  # type: ignore[arg-type]  # a builder
        trade_id=TRADE,
        how="tag",
        external=False,
        recorded_at_ns=1,
    )


def matched() -> OrderMatched:
    return OrderMatched(
        account=ACCOUNT, trade_id=TRADE, order_id=OrderId("order1"), method=MatchMethod.TAG,
        deal_ids=("1",), quantity=Decimal("0.1"), average_price=Decimal("1.1"),
        commission=Decimal("-0.35"), cost=Decimal("0.55"), matched_at_ns=1,
        slippage=Decimal("0.00002"), slippage_cash=Decimal("0.20"), latency_ms=Decimal("20.5"),
    )  # fmt: skip


def one(run: RunFold) -> TradeLine:
    (line,) = trade_lines(run)
    return line


def test_a_stop_at_the_broker_closes_the_trade_and_says_so() -> None:
    stop = deal(
        "2", Side.SELL, "1.0900", reason=DealReason.STOP_LOSS, order_id=None,
        entry=DealEntry.OUT, profit=Decimal(-100),
    )  # fmt: skip

    line = one(fold(submitting(), deal("1", Side.BUY, "1.1000"), matched(), stop))

    assert (line.status, line.side, line.exit_reason) == (
        "closed", "long", "stop loss at the broker",
    )  # fmt: skip
    assert line.pnl == Decimal("-100.70")
    assert line.commission == Decimal("-0.70")
    # The match's own cost, and the commission of the stop, which no order of ours caused.
    assert line.cost == Decimal("0.90")
    assert line.latency_sec == Decimal("0.0205")


def test_a_trade_that_still_holds_something_is_open() -> None:
    line = one(fold(submitting(), deal("1", Side.BUY, "1.1000")))

    assert (line.status, line.exit_price, line.exit_reason) == ("open", None, "")


def test_entries_average_by_quantity() -> None:
    second = deal("2", Side.BUY, "1.2000", quantity=Decimal("0.3"), position_delta=Decimal("0.3"))

    line = one(fold(submitting(), deal("1", Side.BUY, "1.1000"), second))

    assert line.entry_price == Decimal("1.175")
    assert line.quantity == Decimal("0.4")


def test_a_spot_trade_earns_what_was_received_less_what_was_paid() -> None:
    dust = {"fee": Decimal("0.0001"), "fee_asset": "BTC", "commission": Decimal(0)}
    bought = deal("1", Side.BUY, "100", position_delta=Decimal("0.0999"), **dust)
    sold = deal(
        "2", Side.SELL, "110", quantity=Decimal("0.0999"), position_delta=Decimal("-0.0999"),
        commission=Decimal(0),
    )  # fmt: skip

    line = one(fold(submitting(), bought, sold))

    assert line.status == "closed"
    assert line.pnl == Decimal("0.0999") * 110 - 10


def test_the_file_has_the_promised_columns_and_disarms_formulas() -> None:
    line = one(fold(submitting(strategy=Strategy("=cmd()")), deal("1", Side.BUY, "1.1000")))

    (row,) = csv.DictReader(io.StringIO(trades_csv([line])))

    assert set(COLUMNS) >= {
        "trade_id", "account", "strategy", "symbol", "side", "quantity", "entry_price",
        "exit_price", "entry_time", "exit_time", "pnl", "commission", "swap", "slippage", "cost",
        "latency_sec", "match_method", "exit_reason",
    }  # fmt: skip
    assert row["strategy"] == "'=cmd()"
    assert row["pnl"] == "-0.35"  # a number stays one


def test_two_whole_fills_of_one_part_are_a_duplicate() -> None:
    def filled(order_id: str) -> OrderFilled:
        return OrderFilled(
            order_id=OrderId(order_id), account=ACCOUNT, venue_order_id="1",
            venue_position_id="1", filled_quantity=Decimal("0.1"), average_price=Decimal(1),
            done=True, evidence="answer", at_ns=1, hops=Hops(called_ns=1),
        )  # fmt: skip

    run = fold(submitting(), filled("order1"), submitting("order2", attempt=2), filled("order2"))

    assert run.duplicate_orders() == 1
