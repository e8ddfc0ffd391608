"""A submission becomes exactly the request that the module takes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_mt5_node.core import server_time
from argos_mt5_node.core.numbers import to_decimal, to_float
from argos_mt5_node.core.request import Unsendable, build, filling
from hypothesis import given
from hypothesis import strategies as st

Maker = Callable[..., Submission]
EURUSD: dict[str, Any] = {"trade_exemode": 2, "filling_mode": 3, "digits": 5}
HEDGING, NETTING = AccountKind.HEDGING, AccountKind.NETTING


def test_an_entry_carries_its_stop_and_target_and_its_id_twice(submission: Maker) -> None:
    order = submission(stop_price=Decimal("1.09"), take_profit_price=Decimal("1.123456"))

    request = build(order, EURUSD, kind=HEDGING)

    assert request == {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 0.1,
        "type": 0,
        "type_filling": 1,
        "type_time": 0,
        "deviation": 20,
        "comment": order.tag,
        "magic": order.magic,
        "sl": 1.09,
        "tp": 1.12346,
    }


def test_whole_numbers_become_floats_because_the_module_refuses_integers(submission: Maker) -> None:
    request = build(submission(quantity=Decimal(1)), EURUSD, kind=NETTING, price=Decimal(1))

    assert isinstance(request, dict)
    assert [type(request[name]) for name in ("volume", "price")] == [float, float]
    assert {type(request[name]) for name in ("action", "type", "magic", "deviation")} == {int}


def test_a_close_names_its_position_on_a_hedging_account_only(submission: Maker) -> None:
    order = submission(side=Side.SELL, effect=Effect.CLOSE, position_ref="77")

    hedging, netting = (build(order, EURUSD, kind=kind) for kind in (HEDGING, NETTING))

    assert isinstance(hedging, dict)
    assert isinstance(netting, dict)
    assert (hedging["position"], "position" in netting) == (77, False)


@pytest.mark.parametrize("reference", ["", "p1", "-3"])
def test_a_close_without_a_real_position_is_never_sent(submission: Maker, reference: str) -> None:
    order = submission(side=Side.SELL, effect=Effect.CLOSE, position_ref=reference)
    assert isinstance(build(order, EURUSD, kind=HEDGING), Unsendable)


def test_a_tag_that_a_comment_cannot_hold_is_never_sent(submission: Maker) -> None:
    assert isinstance(build(submission(tag="a" * 27), EURUSD, kind=HEDGING), Unsendable)


@pytest.mark.parametrize(
    ("execution", "flags", "expected"),
    [(2, 3, 1), (2, 2, 1), (2, 1, 0), (2, 0, 2), (3, 3, 2), (1, 3, 0), (0, 3, 0)],
)
def test_the_filling_mode_follows_the_execution(execution: int, flags: int, expected: int) -> None:
    assert filling({"trade_exemode": execution, "filling_mode": flags}) == expected


@given(st.decimals(min_value=0, max_value=10**6, places=5, allow_nan=False))
def test_a_decimal_survives_the_way_through_a_float(value: Decimal) -> None:
    assert to_decimal(to_float(value, 5)) == value


def test_noise_of_sums_is_rounded_away() -> None:
    assert to_decimal(0.1 + 0.2) == Decimal("0.3")
    assert str(to_decimal(100.0)) == "100"


HOUR_NS = 3600 * 1_000_000_000
NOW_NS = 1_772_442_000_000_000_000


def msc(offset_ns: int) -> int:
    return (NOW_NS + offset_ns) // 1_000_000


@pytest.mark.parametrize("hours", [-5, 0, 2, 3, 5.5])
def test_the_offset_is_measured_from_a_tick_that_moved(hours: float) -> None:
    offset_ns = int(hours * HOUR_NS)
    late_ns = offset_ns - 400_000_000
    assert server_time.offset_of(msc(late_ns) - 100, msc(late_ns), NOW_NS) == offset_ns


def test_a_tick_that_stands_still_or_is_odd_tells_nothing() -> None:
    assert server_time.offset_of(msc(0), msc(0), NOW_NS) is None
    assert server_time.offset_of(0, msc(0), NOW_NS) is None
    odd_ns = 17 * 60 * 1_000_000_000
    assert server_time.offset_of(msc(-HOUR_NS), msc(odd_ns), NOW_NS) is None


def test_bounds_are_server_seconds_that_reach_a_day_ahead_and_are_never_0() -> None:
    assert server_time.bounds(0, NOW_NS, 2 * HOUR_NS)[0] == 7200
    assert server_time.bounds(0, NOW_NS, None)[0] == 1
    start, end = server_time.bounds(NOW_NS, NOW_NS, 2 * HOUR_NS)
    assert (start, end) == (NOW_NS // 10**9 + 7200, NOW_NS // 10**9 + 7200 + 86_400)
