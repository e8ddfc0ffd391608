"""The run on one page: complete in itself, and safe whatever a message said."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from argos_cli.client.history import read_recording
from argos_cli.report.folder import new_run_folder, write_run
from argos_cli.report.hops import Hop, percentile
from argos_cli.report.page import page
from argos_cli.report.picture import price_picture, waterfall
from argos_cli.report.trades import TradeLine
from argos_cli.report.view import PricePoint, Promise, SignalLine, View

EVIL = '<script>alert("1")</script><img src=x onerror=y>'
SECOND = 1_000_000_000


def trade(**changes: object) -> TradeLine:
    values: dict[str, object] = {
        "trade_id": "t", "account": EVIL, "strategy": EVIL, "symbol": "EURUSD", "side": "long",
        "quantity": Decimal("0.1"), "status": "closed", "entry_time": "", "entry_price": Decimal("1.1"),
        "exit_time": "", "exit_price": Decimal("1.2"), "pnl": Decimal(5), "commission": Decimal(0),
        "swap": Decimal(0), "fee": Decimal(0), "slippage": Decimal(0), "cost": Decimal(0),
        "latency_sec": None, "match_method": "tag", "exit_reason": EVIL, "entry_ns": SECOND,
        "exit_ns": 2 * SECOND,
    }  # fmt: skip
    return TradeLine(**(values | changes))  # type: ignore[arg-type]  # a builder


def view(**changes: object) -> View:
    points = [PricePoint(n * SECOND, Decimal("1.1"), Decimal("1.2")) for n in range(4)]
    values: dict[str, object] = {
        "title": EVIL,
        "started": "now",
        "seconds": 1.0,
        "promises": [Promise(name=EVIL, held=False, detail=EVIL)],
        "signals": [
            SignalLine(
                number=1, title=EVIL, alert=EVIL, answer=EVIL, outcomes=((EVIL, EVIL, EVIL),)
            )
        ],
        "trades": [trade()],
        "matches": [],
        "zeros": {EVIL: 1},
        "hops": [Hop("alert received", 0, 0, 0), Hop(EVIL, 10, 1.5, 1.5)],
        "hops_of": EVIL,
        "prices": {"EURUSD": points},
        "document": {"run": "x"},
    }
    return View(**(values | changes))  # type: ignore[arg-type]  # a builder


def test_whatever_a_message_said_is_shown_and_never_run() -> None:
    text = page(view())

    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(view())

    assert not re.search(r"""<[^>]*\b(src|href)\s*=|url\(|@import|https?://""", text)
    assert "default-src 'none'" in text


def test_a_broken_promise_stands_at_the_top() -> None:
    text = page(view(promises=[Promise(name="no order twice", held=False, detail="two orders")]))

    assert text.index("did NOT hold") < text.index("two orders") < text.index("What must be zero")


def test_the_pictures_show_entry_exit_and_every_hop() -> None:
    points = [PricePoint(n * SECOND, Decimal("1.1"), Decimal("1.2")) for n in range(4)]

    prices = price_picture("EURUSD", points, [trade()], (0, 3 * SECOND))
    times = waterfall([Hop("a", 0, 0, 0), Hop("b", 1, 2.0, 2.0), Hop("c", 2, 3.0, 5.0)])

    assert prices.count('class="entry long"') == prices.count('class="exit win"') == 1
    assert times.count("<rect") == 2
    assert price_picture("EURUSD", points[:1], [], (0, 1)) == ""


def test_a_run_folder_holds_everything_and_latest_points_to_the_newest(tmp_path: Path) -> None:
    first = new_run_folder(tmp_path / "runs", 5 * SECOND)
    second = new_run_folder(tmp_path / "runs", 5 * SECOND)
    for folder in (first, second):
        write_run(folder, view(), [])

    assert first != second
    assert (tmp_path / "runs" / "latest").resolve() == second.resolve()
    assert {path.name for path in second.iterdir()} == {
        "trades.csv", "events.jsonl", "stats.json", "summary.html",
    }  # fmt: skip
    assert list(read_recording(second / "events.jsonl")) == []


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]

    assert [percentile(values, p) for p in (50, 90, 99)] == [50.0, 90.0, 99.0]
    assert percentile([3.0], 99) == 3.0
    assert percentile([], 50) == 0.0
