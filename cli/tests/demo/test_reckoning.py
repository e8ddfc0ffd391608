"""The reckoning finds what it is there to find: each promise can be broken."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from argos_cli.client.commands import KillReport
from argos_cli.demo.alerts import Alert
from argos_cli.demo.play import StepResult
from argos_cli.demo.reckoning import Evidence, document, promises, zeros
from argos_cli.demo.stage import Sent
from argos_cli.demo.steps import Step
from argos_cli.demo.witness import Record, VenueDeal, VenueOrder
from argos_cli.report.orders import RunFold

KILL = KillReport(
    log_position=7, recorded_by="log", accounts=("a",), positions={"a": 7}, under_way=(),
    confirmed=("a",), unconfirmed=(), final_by="nodes",
)  # fmt: skip


def evidence(**changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "items": (), "run": RunFold(), "sent": (), "record": Record((), ()), "results": (),
        "kill": KILL, "routes": {"trend": ("mt5-hedge",)},
    }  # fmt: skip
    return Evidence(**(values | changes))


def sent(status: int = 200, word: str = "accepted", took_ms: float = 5.0) -> Sent:
    answer = {"status": word, "signal_id": "s-1"}
    return Sent(alert=Alert(), status=status, answer=answer, sent_at_ns=1, took_ms=took_ms)


def order(**changes: Any) -> VenueOrder:
    first = VenueOrder(
        account="mt5-hedge", venue_order_id="1", born="ours", tag="a1xyz", symbol="EURUSD",
        quantity=Decimal("0.1"),
    )  # fmt: skip
    return replace(first, **changes)


def broken(found: Evidence) -> set[str]:
    return {promise.name for promise in promises(found) if not promise.held}


def test_a_quiet_run_breaks_nothing() -> None:
    assert broken(evidence()) == set()
    assert set(zeros(evidence()).values()) == {0}


def test_an_accepted_alert_that_is_not_in_the_log_is_lost() -> None:
    found = evidence(sent=(sent(),))

    assert zeros(found)["lost signals"] == 1
    assert broken(found) == {"every accepted signal has a verdict for every account"}


def test_an_order_that_only_the_broker_knows_breaks_the_count() -> None:
    found = evidence(record=Record((order(),), ()))

    assert broken(found) == {"the venues recorded as many orders of ours as were submitted"}


def test_one_tag_twice_at_the_broker_is_a_duplicate_order() -> None:
    found = evidence(record=Record((order(), order(venue_order_id="2")), ()))

    assert zeros(found)["duplicate orders"] == 1
    assert "no order was placed twice" in broken(found)


def test_a_stop_of_the_broker_counts_apart() -> None:
    record = Record((order(born="broker", tag=""), order(born="broker", tag="")), ())

    shown = document(evidence(record=record), run_id="r", folder="f", seconds=1.0)

    assert (shown["broker_orders"], shown["broker_born_orders"]) == (0, 2)
    assert shown["duplicate_orders"] == 0


def test_a_deal_that_only_the_venue_knows_is_named() -> None:
    record = Record((), (VenueDeal(account="mt5-hedge", deal_id="4", venue_order_id="1"),))

    assert zeros(evidence(record=record))["deals missing or unknown"] == 1
    assert broken(evidence(record=record)) == {"the log and the venues know the same deals"}


def test_a_slow_answer_breaks_its_promise() -> None:
    slow = evidence(sent=(sent(status=422, word="stale", took_ms=3_500.0),))

    assert broken(slow) == {"every alert was answered before TradingView gives up (3 s)"}


def test_a_step_that_went_otherwise_is_broken_with_what_was_seen() -> None:
    step = Step(name="x", title="A reversal", expect="y")
    result = StepResult(step=step, number=4, sent=(), faults=("no verdict",), notes=())

    (promise,) = [p for p in promises(evidence(results=(result,))) if not p.held]

    assert (promise.name, promise.detail) == ("4. A reversal", "no verdict")
