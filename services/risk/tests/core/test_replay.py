"""A log decides itself again: the same verdicts, the same state, from the start or a snapshot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argos_common.domain.control import Scope
from argos_common.domain.event import Event
from argos_common.domain.ids import Symbol
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule
from argos_common.domain.venue import DealEntry
from argos_common.domain.verdict import Decision, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.runtime.snapshot import Snapshot, load_snapshot, save_snapshot
from argos_common.wire import codec, subjects
from argos_common.wire.documents import read_config
from argos_risk.core.replay import decide_again
from argos_risk.core.state import RiskState, fold, fold_unreadable
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.risk.tests.risk_kit import (
    DEMO,
    FACTS,
    FIRST,
    NOW,
    D,
    World,
    config_with,
    configured,
    deal,
    flatten,
    holding,
    kill,
    release,
    signal,
)


def eventful() -> World:
    """Entry, add, refused entry, partial exit, kill, reversal in part, release, flatten."""
    world = holding(config_with(order_value_max=D(20_000)))
    world.fill(world.verdict(signal("add")))
    world.verdict(signal("large", quantity_rule=QuantityRule.FIXED, quantity=D(1)))
    part = signal("part", Action.EXIT, quantity_rule=QuantityRule.FIXED, quantity=D("0.05"))
    world.fill(world.verdict(part), profit="-12.5")
    world.says(kill(Scope.ACCOUNT))
    world.fill(world.verdict(signal("turn", side=Side.SELL)))
    world.says(release(Scope.ACCOUNT))
    world.verdict(signal("again", stop_distance=D("0.005")))
    world.says(
        deal("00000000-0000-5000-8000-000000000000", "1", symbol=Symbol("XAUUSD"), external=True,
             number=99, entry=DealEntry.IN),
        flatten(),
    )  # fmt: skip
    world.verdict()
    return world


def test_every_verdict_of_a_log_is_decided_again_the_same() -> None:
    world = eventful()
    state, mismatches = decide_again(world.log, read_config)
    assert mismatches == ()
    assert codec.to_json(state) == codec.to_json(world.state)
    decisions = [event.decision for _, event in world.log if isinstance(event, VerdictGiven)]
    assert {Decision.APPROVED, Decision.PARTLY, Decision.REFUSED} <= set(decisions)


def test_a_verdict_that_saw_less_than_the_log_holds_is_decided_on_what_it_saw() -> None:
    world = configured().says(signal("s"))
    seen = world.decide()
    world.says(kill())  # folded by nobody when the verdict was given
    world.says(seen)
    assert decide_again(world.log, read_config)[1] == ()


def test_a_changed_verdict_is_found() -> None:
    world = eventful()
    at, entry, event = next(
        (n, entry, event) for n, (entry, event) in enumerate(world.log)
        if isinstance(event, VerdictGiven) and event.legs
    )  # fmt: skip
    forged = replace(event, legs=(replace(event.legs[0], quantity=D(50)),))
    log = [*world.log[:at], (entry, forged), *world.log[at + 1 :]]
    _, mismatches = decide_again(log, read_config)
    assert mismatches[0].sequence == entry.sequence
    assert mismatches[0].decided == event


def test_a_verdict_without_a_cause_is_found() -> None:
    world = configured().says(signal("s"))
    invented = replace(world.decide(), cause_id=signal("t").signal_id)
    world.says(invented)
    (mismatch,) = decide_again(world.log, read_config)[1]
    assert mismatch.decided is None


def test_what_cannot_be_read_is_taken_as_risk_took_it() -> None:
    world = configured()
    log: list[tuple[Entry, Event | None]] = list(world.log)

    def take(event: Event | None, subject: str) -> None:
        data = codec.encode(event) if event is not None else b"?"
        entry = Entry(sequence=len(log) + 1, subject=subject, data=data, appended_ns=NOW)
        log.append((entry, event))
        if event is None:
            fold_unreadable(world.state, entry)
        else:
            fold(world.state, entry, event, read_config)

    take(None, subjects.control(DEMO))
    take(None, subjects.verdict(DEMO))
    take(signal("s"), "argos.v1.x")
    refused = world.decide()
    assert "cannot be read" in refused.reason
    take(refused, subjects.verdict(DEMO))
    assert decide_again(log, read_config)[1] == ()
    readable = [(entry, event) for entry, event in log if event is not None]
    assert [each.recorded for each in decide_again(readable, read_config)[1]] == [refused]


@pytest.mark.parametrize("cut", range(0, 30, 3))
def test_a_restart_from_a_snapshot_equals_reading_again(cut: int, tmp_path: Path) -> None:
    world = eventful()
    early = RiskState()
    for entry, event in world.log[:cut]:
        fold(early, entry, event, read_config)
    path = tmp_path / "risk.json"
    save_snapshot(path, early, generation="g", sequence=early.sequence, schema=1)
    found = load_snapshot(path, RiskState, generation="g", schema=1, last_sequence=10**6)
    assert isinstance(found, Snapshot)
    for entry, event in world.log[cut:]:
        fold(found.state, entry, event, read_config)
    assert found.state == world.state
    ours, theirs = world.risk.book.trades, found.state.accounts[world.risk.account].book.trades
    assert list(ours) == list(theirs)


def test_a_snapshot_keeps_the_order_of_what_is_pending(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(12)]
    world = configured().says(*(signal(name) for name in names))
    path = tmp_path / "risk.json"
    save_snapshot(path, world.state, generation="g", sequence=1, schema=1)
    found = load_snapshot(path, RiskState, generation="g", schema=1, last_sequence=99)
    assert isinstance(found, Snapshot)
    assert list(found.state.accounts[world.risk.account].pending) == list(world.risk.pending)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "exit", "part", "target", "kill", "release", "flatten"]),
        st.decimals("0.005", "1.2", places=3),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
@example(  # a reversal of more than is held: the close is declined, so the rest must be, too
    steps=[("buy", D("0.010"), False), ("buy", D("1.030"), True), ("sell", D("0.340"), True)]
)
def test_whatever_is_asked_the_account_stays_within_its_limit_and_replays(
    steps: list[tuple[str, D, bool]],
) -> None:
    limit = D(150_000)
    world = configured(config_with(account_value_max=limit, open_positions_max=9))
    for number, (what, size, carried_out) in enumerate(steps):
        fixed: dict[str, Any] = {"quantity_rule": QuantityRule.FIXED, "quantity": size}
        match what:
            case "buy" | "sell":
                side = Side.BUY if what == "buy" else Side.SELL
                world.says(signal(f"n{number}", side=side, **fixed))
            case "exit" | "part":
                world.says(signal(f"n{number}", Action.EXIT, **(fixed if what == "part" else {})))
            case "target":
                wanted = size if carried_out else -size
                world.says(signal(f"n{number}", Action.TARGET, target_position=wanted))
            case "kill":
                world.says(kill())
            case "release":
                world.says(release())
            case _:
                world.says(flatten())
        while world.risk.pending:
            verdict = world.verdict()
            if carried_out:
                world.fill(verdict)
            killed = world.risk.control.killed
            assert not (killed and any(leg.reserved_value for leg in verdict.legs))
        book = world.risk.book
        held = sum((abs(trade.position) for trade in book.trades.values()), D(0))
        assert held * 100_000 * D("1.1002") <= limit
    assert decide_again(world.log, read_config)[1] == ()


def test_the_trade_of_the_kit_is_the_one_meant() -> None:
    assert list(holding().risk.book.trades) == [FIRST]
    assert FACTS.venue_ready
