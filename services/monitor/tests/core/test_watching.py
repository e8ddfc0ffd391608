"""Who is late, what is told, how often, and what is told again after a restart."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from argos_common.domain.control import (
    ConfigProposed,
    KillEngaged,
    KillReleased,
    Scope,
)
from argos_common.domain.event import Event
from argos_common.domain.ids import OrderId, SignalId, TradeId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Beat
from argos_common.domain.order import (
    OrderAbsent,
    OrderDeclined,
    OrderInDoubt,
    OrderRefused,
    RefusalClass,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind, DiscrepancyResolved
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.runtime.times import utc_text
from argos_common.wire import subjects
from argos_monitor.core.conditions import LogView, Period, conditions
from argos_monitor.core.desk import REPEAT_NS, Condition, Desk
from argos_monitor.core.fleet_state import FleetState
from argos_monitor.core.heartbeat import Heartbeats, Liveness
from argos_monitor.core.status import Json, fleet_status

from services.reconciler.tests.reconciler_kit import (
    CONFIG,
    DEMO,
    EURUSD,
    MS,
    NOW,
    SECOND,
    entry_story,
    filled,
    leg,
    signal,
    submitting,
    verdict,
)

TRADE = TradeId(signal().signal_id)
NOBODY: frozenset[str] = frozenset()


def beat(service: str = "risk", sequence: int = 5) -> Beat:
    return Beat(service=service, incarnation="i", at_ns=0, state="running", sequence=sequence)


def state_of(*events: Event) -> FleetState:
    state = FleetState()
    state.configure(CONFIG)
    for number, event in enumerate(events, start=1):
        state.fold(number, NOW + number * MS, event)
    return state


def codes(state: FleetState, now_ns: int, log: LogView | None = None) -> list[str]:
    found, _ = conditions(state, Heartbeats((), NOW), log or LogView(), {}, now_ns)
    return [each.code for each in found]


@pytest.mark.parametrize(
    ("age_s", "liveness"),
    [
        (0, Liveness.ONLINE),
        (5, Liveness.ONLINE),
        (6, Liveness.LATE),
        (15, Liveness.LATE),
        (16, Liveness.OFFLINE),
    ],
)
def test_silence_has_degrees(age_s: int, liveness: Liveness) -> None:
    beats = Heartbeats(("risk",), NOW)
    beats.hear(beat(), NOW)
    assert beats.liveness("risk", NOW + age_s * SECOND) is liveness


def test_a_service_never_heard_of_is_unknown_and_then_offline() -> None:
    beats = Heartbeats(("risk",), NOW)
    assert beats.liveness("risk", NOW + 14 * SECOND) is Liveness.UNKNOWN
    assert beats.liveness("risk", NOW + 15 * SECOND) is Liveness.OFFLINE


def test_a_service_nobody_expected_is_shown_behind_the_others() -> None:
    beats = Heartbeats(("risk", "bridge"), NOW)
    beats.hear(beat("bridge-2"), NOW)
    assert [each.name for each in beats.views(NOW, 9)] == ["risk", "bridge", "bridge-2"]
    assert beats.views(NOW, 9)[2].lag == 4


LATE = Condition(code="service-late", subject="risk", level="warning", sentence="risk is late")


def test_a_condition_is_told_once_hourly_while_it_lasts_and_when_it_is_over() -> None:
    desk, told = Desk(), []
    for minute in range(151):
        present = [LATE] if minute < 140 else []
        told.extend(desk.observe(present, NOBODY, NOW + minute * 60 * SECOND))
    assert [each.sentence for each in told] == [
        "risk is late",
        "still: risk is late",
        "still: risk is late",
        "over: risk is late",
    ]
    assert len({each.alert_id for each in told}) == 4


def test_the_same_condition_later_has_other_ids() -> None:
    desk = Desk()
    first = desk.observe([LATE], NOBODY, NOW)
    desk.observe([], NOBODY, NOW + SECOND)
    second = desk.observe([LATE], NOBODY, NOW + 2 * SECOND)
    assert first[0].alert_id != second[0].alert_id


def test_after_a_restart_nothing_is_told_twice_and_the_end_is_told() -> None:
    before = Desk()
    told = before.observe([LATE], NOBODY, NOW)
    after = Desk()
    after.on_record(told[0].raised(NOW))
    assert after.observe([LATE], NOBODY, NOW + 60 * SECOND) == []
    assert after.observe([], frozenset({LATE.prefix}), NOW + 61 * SECOND) == []
    over = after.observe([], NOBODY, NOW + 70 * SECOND)
    assert [each.sentence for each in over] == ["over: risk is late"]
    third = Desk()
    third.on_record(told[0].raised(NOW))
    third.on_record(over[0].raised(NOW + 70 * SECOND))
    assert third.open == {}


def test_a_reminder_after_a_restart_goes_on_counting() -> None:
    desk = Desk()
    (first,) = desk.observe([LATE], NOBODY, NOW)
    again = Desk()
    again.on_record(first.raised(NOW))
    (reminder,) = again.observe([LATE], NOBODY, NOW + REPEAT_NS)
    assert reminder.alert_id == first.alert_id.removesuffix("-0") + "-1"


def in_doubt() -> list[Event]:
    asked = submitting(TRADE)
    doubt = OrderInDoubt(order_id=asked.order_id, account=DEMO, cause="timeout", at_ns=NOW)
    return [signal(), verdict(signal().signal_id, (leg(TRADE),)), asked, doubt]


def test_an_order_in_doubt_for_more_than_ten_seconds_wakes_someone() -> None:
    state = state_of(*in_doubt())
    assert codes(state, NOW + 9 * SECOND) == []
    assert codes(state, NOW + 11 * SECOND) == ["order-in-doubt"]


def test_a_late_fill_is_told_as_an_oddity() -> None:
    asked = submitting(TRADE)
    gone = OrderAbsent(order_id=asked.order_id, account=DEMO, why="watched", at_ns=NOW)
    late = state_of(*in_doubt(), gone, filled(asked))
    assert [(each.alert_id, each.sentence) for each in late.notices.values()] == [
        (
            "oddity-6",
            f"order {asked.order_id}: found at the venue while ABSENT (account demo, log entry 6)",
        )
    ]


def kill(**changes: object) -> KillEngaged:
    made = KillEngaged(
        account=DEMO,
        scope=Scope.ACCOUNT,
        actor="ann",
        reason="drill",
        request_id="r1",
        asked_at_ns=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # any field, by name


def test_a_kill_is_told_while_it_is_engaged_and_its_release_once() -> None:
    state = state_of(kill())
    assert codes(state, NOW) == ["kill-engaged"]
    release = KillReleased(
        account=DEMO,
        scope=Scope.ACCOUNT,
        actor="ann",
        reason="over",
        request_id="r2",
        asked_at_ns=NOW,
    )
    state.fold(9, NOW, release)
    assert codes(state, NOW) == []
    assert [each.code for each in state.notices.values()] == ["kill-released"]


def test_a_configuration_that_waits_for_approval_is_told() -> None:
    waiting = ConfigProposed(
        account=DEMO, config_hash="ab", document="{}", raises=("more",), asked_at_ns=NOW
    )
    assert codes(state_of(waiting), NOW) == ["config-proposal"]


def discrepancy() -> DiscrepancyFound:
    return DiscrepancyFound(
        discrepancy_id="position-1_0",
        account=DEMO,
        symbol=EURUSD,
        kind=DiscrepancyKind.POSITION,
        expected="1",
        actual="0",
        sentence="it differs",
        since_ns=NOW,
        found_at_ns=NOW,
    )


def test_a_discrepancy_is_told_until_it_is_resolved() -> None:
    state = state_of(discrepancy())
    assert codes(state, NOW) == ["discrepancy"]
    assert state.account(DEMO).held_symbols() == ("EURUSD",)
    over = DiscrepancyResolved(
        discrepancy_id="position-1_0",
        account=DEMO,
        symbol=EURUSD,
        how="agrees again",
        actor="reconciler",
        resolved_at_ns=NOW,
    )
    state.fold(9, NOW, over)
    assert codes(state, NOW) == []


@pytest.mark.parametrize(
    ("ratio", "level"),
    [("0.69", []), ("0.7", ["warning"]), ("0.8", ["critical"]), ("1", ["critical"])],
)
def test_a_log_that_fills_up_is_told_by_its_watermarks(ratio: str, level: list[str]) -> None:
    log = LogView(used_ratio=Decimal(ratio), answered_ns=NOW)
    found, _ = conditions(FleetState(), Heartbeats((), NOW), log, {}, NOW)
    assert [each.level for each in found] == level


def test_a_strategy_is_silent_after_two_and_a_half_periods() -> None:
    spoken = {"trend": Period(every_ns=60 * SECOND, seen_ns=NOW)}
    for age_s, expected in ((149, []), (151, ["strategy-silent"])):
        found, _ = conditions(
            FleetState(), Heartbeats((), NOW), LogView(), spoken, NOW + age_s * SECOND
        )
        assert [each.code for each in found] == expected


def refused(number: int) -> list[Event]:
    asked = submitting(TRADE, number)
    no = OrderRefused(
        order_id=asked.order_id,
        account=DEMO,
        refusal=RefusalClass.NO_MONEY,
        code="10019",
        sentence="not enough money",
        by_node=False,
        at_ns=NOW,
    )
    return [asked, no]


def test_three_refusals_in_a_row_are_told_and_a_fill_ends_the_row() -> None:
    two = [*refused(1), *refused(2)]
    assert codes(state_of(*two), NOW) == []
    assert codes(state_of(*two, *refused(3)), NOW) == ["order-failures"]
    asked = submitting(TRADE, 4)
    assert codes(state_of(*two, asked, filled(asked), *refused(3)), NOW) == []


def test_an_entry_without_a_stop_is_told_except_where_none_can_be_held() -> None:
    story = entry_story()
    bare = replace(leg(TRADE), stop_price=None)
    story[1] = verdict(signal().signal_id, (bare,))
    state = state_of(*story)
    assert codes(state, NOW) == ["unprotected-entry"]
    state.configure(replace(CONFIG, kind=AccountKind.SPOT))
    assert codes(state, NOW) == []
    assert codes(state_of(*entry_story()), NOW) == []


def test_a_dead_letter_has_the_alert_id_of_its_entry() -> None:
    state = FleetState()
    state.dead_letter(7, NOW, "argos.v1.alert.x", "not an event")
    assert list(state.notices) == ["deadletter-7"]


def test_a_control_entry_that_cannot_be_read_is_shown_as_the_kill_it_is_taken_for() -> None:
    state = state_of()
    state.dead_letter(7, NOW, subjects.control(CONFIG.account), "not an event")
    assert codes(state, NOW) == ["kill-engaged"]


def status(beats: Heartbeats, state: FleetState, now_ns: int = NOW) -> Json:
    log = LogView(generation="g1", last_sequence=5, answered_ns=NOW)
    return fleet_status(state, beats, log, {}, pid=7, now_ns=now_ns)


def test_the_status_has_the_runbooks_shape_and_the_fleets_facts() -> None:
    beats = Heartbeats(("risk",), NOW)
    beats.hear(beat(), NOW)
    found = status(beats, state_of(*entry_story()))
    assert {key: found[key] for key in ("status", "healthy", "message", "process")} == {
        "status": "online",
        "healthy": True,
        "message": "Fleet running normally",
        "process": {"running": True, "pid": "7"},
    }
    assert found["today"] == {
        "signals": 1,
        "refused_at_door": 0,
        "verdicts": 1,
        "orders": 1,
        "fills": 1,
        "matched": 0,
        "discrepancies_open": 0,
    }
    assert found["log"]["last_update"] == found["timestamp"] == utc_text(NOW)
    account = found["accounts"][0]
    assert (account["mode"], account["open_positions"], account["in_doubt"]) == ("paper", 1, 0)
    assert account["last_fill"]["price"] == "1.1003"


def test_the_status_goes_from_online_to_stale_to_offline() -> None:
    beats = Heartbeats(("risk",), NOW)
    beats.hear(beat(), NOW)
    seen = [status(beats, FleetState(), NOW + s * SECOND)["status"] for s in (0, 6, 16)]
    assert seen == ["online", "stale", "offline"]


def test_a_log_that_does_not_answer_makes_the_fleet_stale() -> None:
    beats = Heartbeats(("risk",), NOW)
    beats.hear(beat(), NOW + 20 * SECOND)
    found = status(beats, FleetState(), NOW + 20 * SECOND)
    assert (found["status"], found["message"]) == ("stale", "the log does not answer")


def test_the_message_names_kill_doubt_and_held_symbols() -> None:
    beats = Heartbeats(("risk",), NOW)
    beats.hear(beat(), NOW)
    found = status(beats, state_of(*in_doubt(), discrepancy(), kill()))
    assert found["message"] == (
        "the kill switch is engaged on demo; 1 order is in doubt; held because of discrepancies:"
        " EURUSD"
    )
    assert found["healthy"] is True


@pytest.mark.parametrize(("code", "told"), [("too_late", 1), ("nothing_to_close", 0)])
def test_an_exit_that_is_given_up_is_told_at_once(code: str, told: int) -> None:
    cause = SignalId("22222222-2222-5222-8222-222222222222")
    closing = leg(TRADE, 2, Side.SELL, Effect.CLOSE)
    declined = OrderDeclined(
        order_id=OrderId("bbbbbbbbbbbbb"),
        account=DEMO,
        trade_id=TRADE,
        cause_id=cause,
        symbol=EURUSD,
        leg=2,
        part=1,
        attempt=1,
        code=code,
        sentence="too late by 1.000 s",
        declined_at_ns=NOW,
    )
    state = state_of(*entry_story(), verdict(cause, (closing,)), declined)
    notices = [each for each in state.notices.values() if each.code == "exit-given-up"]
    assert len(notices) == told
    for notice in notices:
        assert (notice.level, notice.trade_id) == ("critical", TRADE)
        assert "too late by 1.000 s" in notice.sentence
