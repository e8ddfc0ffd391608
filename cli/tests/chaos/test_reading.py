"""What the outside wrote down becomes records: every document the checker is given, as it looks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from argos_cli.chaos.checker import read
from argos_cli.chaos.checker.records import Answer, VenueDeal, VenueOrder, VenueRequest

TAG = "a1crohcyrv66s26"
LOGINS = {10001: "h"}


def entry(kind: str, **values: Any) -> dict[str, Any]:
    base = {
        "seq": 1, "kind": kind, "login": 10001, "origin": "expert", "time_ns": 8, "received_ns": 7,
        "action": 1, "retcode": 10009, "order": 50, "deal": 40, "position_id": 50,
        "symbol": "EURUSD", "type": 0, "entry": 0, "reason": 3, "volume": "0.02", "price": "1.1",
        "magic": 9, "comment": TAG, "comment_stored": TAG,
    }  # fmt: skip
    return base | values


def test_answers() -> None:
    def word(status: int, body: bytes) -> str:
        return read.answer("k", 1, 2, status, body, same=True).word

    taken = read.answer("k", 1, 2, 200, b'{"status": "accepted", "signal_id": "s"}', same=True)
    assert taken == Answer(
        key="k", sent_ns=1, answered_ns=2, status=200, word="accepted", signal_id="s"
    )
    assert word(409, b'{"error": "...", "code": "conflict", "field": "id"}') == "conflict"
    assert [word(0, b""), word(502, b"<html>"), word(200, b"[]")] == ["", "", ""]


def test_the_brokers_record() -> None:
    requests, orders, deals = read.broker_record(
        [
            entry("request"),
            entry("request", action=6),
            entry("order"),
            entry("order", origin="broker"),
            entry("deal"),
            entry("deal", type=1, entry=1, volume="0.01"),
            entry("deal", type=1, entry=2, origin="manual", comment="by hand"),
            entry("deal", type=2, comment="deposit"),
        ],
        LOGINS,
    )
    assert requests == [VenueRequest(account="h", tag=TAG, received_ns=7)]
    assert orders == [VenueOrder(account="h", order="50", tag=TAG, symbol="EURUSD", received_ns=7)]
    assert [(d.delta, d.opens, d.ours) for d in deals] == [
        (Decimal("0.02"), True, True),
        (Decimal("-0.01"), False, True),
        (Decimal("-0.02"), True, False),
    ]


def test_the_brokers_books() -> None:
    positions = [
        {"symbol": "EURUSD", "type": 0, "volume": "0.03"},
        {"symbol": "EURUSD", "type": 1, "volume": "0.01"},
        {"symbol": "XAUUSD", "type": 1, "volume": "0.01"},
    ]
    assert read.broker_positions({"positions": positions}, "h") == {
        ("h", "EURUSD"): Decimal("0.02"),
        ("h", "XAUUSD"): Decimal("-0.01"),
    }


def test_the_exchanges_file() -> None:
    order = {
        "venue_order_id": "v1", "client_id": TAG, "kind": "MARKET", "venue_symbol": "BTCUSD",
        "placed_at_ns": 5,
    }  # fmt: skip
    trade = {
        "trade_id": "t1", "venue_order_id": "v1", "client_id": TAG, "venue_symbol": "BTCUSD",
        "side": "BUY", "quantity": "0.01", "base_delta": "0.00999", "at_ns": 6,
    }  # fmt: skip
    rows = [
        {"orders": [], "trades": [], "balances": [["USD", "1000"]]},
        {"orders": [order], "trades": [trade], "balances": [["BTC", "0.00999"], ["USD", "300"]]},
        {"orders": [order], "trades": [], "balances": []},
    ]
    orders, deals, held = read.paper_record(map(json.dumps, rows), "s", [("BTCUSD", "BTC")])
    assert [(each.order, each.tag) for each in orders] == [("v1", TAG)]
    assert deals == [
        VenueDeal(
            account="s", deal="t1", tag=TAG, symbol="BTCUSD", quantity=Decimal("0.01"),
            delta=Decimal("0.00999"), opens=True, ours=True, received_ns=6,
        )
    ]  # fmt: skip
    assert held == {("s", "BTCUSD"): Decimal("0.00999")}


def test_what_a_kill_names() -> None:
    assert read.named_by_tool({"under_way": [{"order_id": "crohcyrv66s26"}]}) == {"crohcyrv66s26"}
    reply = (
        "Killed: chaos-hedge at 12, chaos-net at 13. No new risk is submitted after these log"
        " positions; already under way: crohcyrv66s26 (chaos-hedge), k4qhtnsrdrf22 (chaos-net)."
        " Final when each node has confirmed, at the latest after one lease (2 s)."
    )
    assert read.named_by_risk(reply) == {"crohcyrv66s26", "k4qhtnsrdrf22"}
    assert read.named_by_risk("Killed: a at 1; nothing was under way. One lease (2 s).") == set()
