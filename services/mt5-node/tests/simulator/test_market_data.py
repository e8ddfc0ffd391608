"""Market data and time: the seeded path, its script, Market Watch, the server's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.harness import HEDGING, START_NS, VirtualRig, quiet_accounts
from argos_mt5_node.simulator.market import Market
from argos_mt5_node.simulator.symbols import ServerClock, default_symbols

Deal = Callable[..., dict[str, Any]]
HOUR_NS = 3_600_000_000_000


def path(seed: int, symbol: str, ticks: range) -> list[int]:
    market = Market(seed, default_symbols(), ServerClock())
    return [market.quote_at(symbol, START_NS // market.tick_ns + n).bid_points for n in ticks]


def test_any_tick_can_be_evaluated_in_any_order() -> None:
    forward = path(7, "EURUSD", range(500))
    assert path(7, "EURUSD", range(499, -1, -1)) == forward[::-1]
    assert path(8, "EURUSD", range(500)) != forward


def test_prices_move_and_come_back() -> None:
    for symbol, start in (("EURUSD", 108_500), ("BTCUSD", 6_725_000), ("XAUUSD", 236_400)):
        bids = path(3, symbol, range(0, 8 * 864_000, 4_321))
        assert len(set(bids)) > 100
        assert all(abs(bid - start) < start * 0.05 for bid in bids)


def test_a_suffixed_symbol_shares_the_path_of_its_base() -> None:
    assert path(7, "EURUSD.r", range(50)) == path(7, "EURUSD", range(50))


def test_a_jump_moves_the_path_and_free_returns_to_it(rig: VirtualRig) -> None:
    rig.broker.script("EURUSD", "free", rig.now_ns)
    plain = rig.broker.quote("EURUSD", rig.now_ns).bid_points
    rig.broker.script("EURUSD", "jump", rig.now_ns, rig.broker.quote("EURUSD", rig.now_ns).bid + 1)
    assert rig.broker.quote("EURUSD", rig.now_ns).bid_points == plain + 100_000
    rig.wait_ms(100)
    moved = rig.broker.quote("EURUSD", rig.now_ns).bid_points
    rig.broker.script("EURUSD", "free", rig.now_ns)
    assert moved - rig.broker.quote("EURUSD", rig.now_ns).bid_points == 100_000


def test_server_time_stops_when_ticks_stop(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    before = terminal.symbol_info_tick("EURUSD").time_msc
    rig.broker.script("EURUSD", "halt", rig.now_ns)
    rig.wait_ms(60_000)
    assert terminal.symbol_info_tick("EURUSD").time_msc == before - 100
    rig.broker.script("EURUSD", "free", rig.now_ns)
    assert terminal.symbol_info_tick("EURUSD").time_msc == before + 60_000


def test_a_symbol_outside_market_watch_has_no_tick_until_selected_and_a_delay_passed(
    rig: VirtualRig,
) -> None:
    terminal = rig.terminal()
    assert terminal.symbol_info("XAUUSD").visible is False
    assert terminal.symbol_info_tick("XAUUSD").time == 0
    assert terminal.symbol_select("XAUUSD", True) is True
    assert terminal.symbol_info_tick("XAUUSD").bid == 0.0
    rig.wait_ms(200)
    assert terminal.symbol_info_tick("XAUUSD").bid > 0


def test_an_unknown_symbol_gives_none_and_not_found(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    for call in (terminal.symbol_info, terminal.symbol_info_tick):
        assert call("NOPE") is None
        assert terminal.last_error()[0] == -4
    assert terminal.symbol_select("NOPE") is False


def test_timestamps_are_the_servers_wall_clock_and_follow_daylight_saving() -> None:
    clock = ServerClock(offset_s=7200, changes=((START_NS + HOUR_NS, 10_800),))
    broker = SimulatedBroker(1, quiet_accounts(), now_ns=START_NS, clock=clock)
    seconds = START_NS // 10**9
    assert broker.market.clock.server_s(START_NS) == seconds + 7200
    assert broker.market.clock.server_s(START_NS + HOUR_NS) == seconds + 3600 + 10_800


def test_history_asked_up_to_utc_now_misses_the_newest_deals(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.wait_ms(3_600_000)
    terminal.order_send(deal())
    utc_now = rig.now_ns // 10**9
    assert len(terminal.history_deals_get(1, utc_now)) == 0
    assert len(terminal.history_deals_get(1, utc_now + 86_400)) == 2


def test_time_going_back_evaluates_nothing(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    terminal.order_send(deal(sl=1.09))
    rig.wait_ms(1000)
    index = rig.broker.state.last_index
    rig.broker.advance(START_NS - HOUR_NS)
    assert rig.broker.state.last_index == index
    assert len(rig.broker.positions(HEDGING, rig.now_ns)) == 1
