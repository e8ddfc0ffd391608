"""What the tools say about a record: promises, timelines, replay, and the commands on a stopped log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.audit.promises import Audit
from argos_cli.audit.replay import replay_record
from argos_cli.audit.trades import matching_trades, since_ms, timeline, trade_rows
from argos_cli.client.history import Recorded, read_recording, recorded, write_recording
from argos_common.domain.control import ConfigApplied, KillEngaged, Scope
from argos_common.domain.errors import BadInput
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, SignalId, Source, Strategy, Symbol, TradeId
from argos_common.domain.order import OrderFilled, OrderSubmitting
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.domain.venue import Deal, DealEntry, DealReason, DealRecorded
from argos_common.domain.verdict import (
    Change,
    Decision,
    Effect,
    Facts,
    Leg,
    Origin,
    VerdictGiven,
)
from argos_common.runtime.log import Entry
from argos_common.runtime.settings import account_document, load_fleet
from argos_common.wire import codec, subjects
from argos_monitor.core.words import sentence

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"
ACCOUNT = Account("mt5-hedge")
SIGNAL = SignalId("11111111-1111-5111-8111-111111111111")
TRADE = TradeId(SIGNAL)
ORDER = OrderId("aaaaaaaaaaaaa")
EURUSD = Symbol("EURUSD")
T = 1_800_000_000_000_000_000


def config() -> ConfigApplied:
    """The configuration of the account as fleet.toml has it, but only for `scalper`."""
    account = load_fleet(FLEET_TOML).accounts[ACCOUNT]
    routes = tuple(route for route in account.strategies if route.strategy == "scalper")
    document = account_document(replace(account, strategies=routes))
    return ConfigApplied(
        account=ACCOUNT,
        config_hash=document.config_hash,
        document=document.document,
        tightening=True,
        actor="test",
        reason="first",
        asked_at_ns=T,
    )


def signal(signal_id: SignalId = SIGNAL) -> SignalAccepted:
    return SignalAccepted(
        signal_id=signal_id,
        source=Source("argos"),
        strategy=Strategy("scalper"),
        bot_version="scalper-0.9.1",
        symbol=EURUSD,
        action=Action.ENTER,
        side=Side.BUY,
        received_at_ns=T,
        content_hash="00",
        dialect="argos",
        raw="{}",
    )


def verdict(folded: int = 2, control: int = 1) -> VerdictGiven:
    leg = Leg(
        leg=1,
        trade_id=TRADE,
        effect=Effect.OPEN,
        side=Side.BUY,
        quantity=Decimal("0.1"),
        deadline_ns=T,
    )
    return VerdictGiven(
        account=ACCOUNT,
        cause_id=SIGNAL,
        origin=Origin.SIGNAL,
        strategy=Strategy("scalper"),
        bot_version="scalper-0.9.1",
        symbol=EURUSD,
        decision=Decision.APPROVED,
        change=Change.ENTRY,
        reason="",
        legs=(leg,),
        rules=(),
        facts=Facts(now_ns=T),
        config_hash="00",
        control_sequence=control,
        epoch=control,
        folded_sequence=folded,
        trade_id=TRADE,
    )


def submitting(order: str = ORDER, attempt: int = 1, control: int = 1) -> OrderSubmitting:
    return OrderSubmitting(
        order_id=OrderId(order),
        account=ACCOUNT,
        trade_id=TRADE,
        cause_id=SIGNAL,
        strategy=Strategy("scalper"),
        bot_version="scalper-0.9.1",
        leg=1,
        part=1,
        attempt=attempt,
        symbol=EURUSD,
        venue_symbol="EURUSD",
        side=Side.BUY,
        effect=Effect.OPEN,
        quantity=Decimal("0.1"),
        deadline_ns=T,
        control_sequence=control,
        epoch=control,
        lease="lease",
        tag="a1" + order,
        magic=1,
        writer="w",
        claimed_at_ns=T,
        verdict_sequence=3,
    )


def filled(quantity: str = "0.1") -> OrderFilled:
    return OrderFilled(
        order_id=ORDER,
        account=ACCOUNT,
        venue_order_id="7",
        venue_position_id="7",
        filled_quantity=Decimal(quantity),
        average_price=Decimal("1.1"),
        done=True,
        evidence="answer",
        at_ns=T,
    )


def deal(deal_id: str = "9", quantity: str = "0.1") -> DealRecorded:
    return DealRecorded(
        account=ACCOUNT,
        deal=Deal(
            deal_id=deal_id,
            venue_order_id="7",
            venue_position_id="7",
            symbol=EURUSD,
            venue_symbol="EURUSD",
            side=Side.BUY,
            entry=DealEntry.IN,
            reason=DealReason.OURS,
            quantity=Decimal(quantity),
            price=Decimal("1.1"),
            commission=Decimal("-0.7"),
            swap=Decimal(0),
            fee=Decimal(0),
            profit=Decimal(0),
            position_delta=Decimal(quantity),
            venue_time_ns=T,
            order_id=ORDER,
        ),
        trade_id=TRADE,
        how="tag",
        external=False,
        recorded_at_ns=T,
    )


def kill() -> KillEngaged:
    return KillEngaged(
        account=ACCOUNT,
        scope=Scope.FLEET,
        actor="test",
        reason="drill",
        request_id="r",
        asked_at_ns=T,
    )


def story() -> list[tuple[str, Event]]:
    """One alert that became a filled order, as the log has it: entries 1 to 6."""
    return [
        (subjects.control(ACCOUNT), config()),
        (subjects.signal("argos", SIGNAL), signal()),
        (subjects.verdict(ACCOUNT), verdict()),
        (subjects.order(ACCOUNT, ORDER, 1), submitting()),
        (subjects.order(ACCOUNT, ORDER, 2), filled()),
        (subjects.venue(ACCOUNT, "deal", "9"), deal()),
    ]


def as_recorded(events: list[tuple[str, Event]]) -> list[Recorded]:
    """The entries a log would have for them, appended one millisecond apart."""
    return [
        Recorded(
            Entry(
                sequence=number,
                subject=subject,
                data=codec.encode(event),
                appended_ns=T + number * 1_000_000,
            ),
            event,
        )
        for number, (subject, event) in enumerate(events, start=1)
    ]


def without(number: int) -> list[tuple[str, Event]]:
    """The story without one of its entries, counted from 1."""
    return [item for position, item in enumerate(story(), start=1) if position != number]


def broken(events: list[tuple[str, Event]]) -> dict[str, tuple[str, ...]]:
    """The promises that a record breaks."""
    audit = Audit()
    for item in as_recorded(events):
        audit.take(item)
    return {check.name: check.broken for check in audit.checks() if not check.passed}


def again(attempt: int) -> tuple[str, Event]:
    other = "bbbbbbbbbbbbb"
    return subjects.order(ACCOUNT, other, 1), submitting(other, attempt=attempt)


def test_an_alert_that_became_a_filled_order_breaks_no_promise() -> None:
    assert broken(story()) == {}


@pytest.mark.parametrize(
    ("events", "promise", "words"),
    [
        (without(3)[:2], "one verdict", "has no verdict on mt5-hedge"),
        ([*story(), story()[2]], "one verdict", "has 2 verdicts"),
        ([*story()[:4], again(2)], "one live order", "live at once"),
        (without(4), "claimed first", "without a submission"),
        ([*story()[:3], (subjects.control(ACCOUNT), kill()), *story()[3:]], "claimed first",
         "was fenced by 1, the newest control event was 4"),
        ([*story()[:4], (subjects.order(ACCOUNT, ORDER, 2), filled("0.2"))], "never too much",
         "0.2 filled, 0.1 approved"),
        ([*story(), story()[5]], "deals add up", "on record twice"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_named(
    events: list[tuple[str, Event]], promise: str, words: str
) -> None:
    assert any(words in sentence for sentence in broken(events)[promise])


def test_an_entry_submitted_after_a_kill_is_named_even_if_its_fence_was_right() -> None:
    events = [*story()[:3], (subjects.control(ACCOUNT), kill())]
    events.append((subjects.order(ACCOUNT, ORDER, 1), submitting(control=4)))
    assert list(broken(events)) == ["nothing after kill"]


def test_a_signal_that_no_account_listed_waits_for_the_first_that_does() -> None:
    events = [story()[1], story()[0]]
    assert list(broken(events)) == ["one verdict"]
    assert broken(events[:1]) == {}


def test_an_entry_that_cannot_be_decoded_is_named() -> None:
    audit = Audit()
    audit.take(recorded(Entry(sequence=1, subject="argos.v1.x", data=b"\xff", appended_ns=T)))
    assert [check.name for check in audit.checks() if not check.passed] == ["readable"]


def test_a_kill_names_what_was_under_way_and_nothing_else() -> None:
    fold = FleetFold()
    items = as_recorded(story())
    for item in items[:4]:
        fold.take(item.entry, item.event)
    assert [order.order_id for order in fold.under_way(ACCOUNT)] == [ORDER]
    fold.take(items[4].entry, filled())
    assert fold.under_way(ACCOUNT) == ()


def test_a_timeline_has_every_step_of_the_trade_in_order() -> None:
    lines = since_ms(timeline(as_recorded(story()), TRADE))
    assert [moment.sequence for moment, _ in lines if moment.sequence] == [2, 3, 4, 5, 6]
    assert [ms for moment, ms in lines if moment.clock == "gateway"] == [Decimal("0.000")]


def test_a_trade_is_found_by_the_beginning_of_its_id() -> None:
    assert matching_trades(as_recorded(story()), "1111") == [TRADE]
    assert matching_trades(as_recorded(story()), "2222") == []


def test_a_trades_row_adds_up_its_deals() -> None:
    (row,) = trade_rows(as_recorded([*story(), story()[5]]))
    assert (row.status, row.position, row.profit, row.orders) == (
        "open", Decimal("0.2"), Decimal("-1.4"), 1,
    )  # fmt: skip


def test_every_event_of_the_story_has_one_line_of_words() -> None:
    for item in as_recorded(story()):
        assert item.event is not None
        assert sentence(item.event).count("\n") == 0


def test_a_recording_reads_back_byte_for_byte(tmp_path: Path) -> None:
    items = as_recorded(story())
    write_recording(tmp_path / "events.jsonl", items)
    assert list(read_recording(tmp_path / "events.jsonl")) == items


def test_a_verdict_that_does_not_follow_is_the_first_difference() -> None:
    report = replay_record(as_recorded(story()))
    assert not report.passed
    assert report.difference.startswith("entry 3: the verdict on")


def test_a_record_without_verdicts_replays_to_one_state() -> None:
    items = as_recorded(story()[:2])
    assert replay_record(items).passed
    assert replay_record(items).state_hash == replay_record(items).state_hash
    assert replay_record(items).state_hash != replay_record(items[:1]).state_hash


def test_a_record_with_a_gap_is_refused() -> None:
    with pytest.raises(BadInput, match="goes from entry 1 to 3"):
        replay_record([as_recorded(story())[n] for n in (0, 2)])


# --- the commands, on the log of a stopped fleet

Record = Callable[[list[tuple[str, Event]]], Path]
Argos = Callable[..., Any]  # typer's own result


def test_verify_passes_on_a_stopped_folder(record: Record, argos: Argos) -> None:
    state = str(record(story()))
    without_ledger = argos("verify", "--state", state)
    assert without_ledger.exit_code == 3
    assert "make it with `argos ledger rebuild`" in without_ledger.stdout
    rebuilt = argos("ledger", "rebuild", "--state", state, "--json")
    assert json.loads(rebuilt.stdout)["entries"] == 6
    result = argos("verify", "--state", state, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["verify"] == "PASS"


def test_verify_is_red_and_names_the_signal(record: Record, argos: Argos) -> None:
    result = argos("verify", "--state", str(record(story()[:2])))
    assert result.exit_code == 3
    assert "VERIFY: FAIL" in result.stdout
    assert f"signal {SIGNAL}" in result.stdout


def test_log_tail_shows_entries_as_lines_and_as_json(record: Record, argos: Argos) -> None:
    state = str(record(story()))
    lines = argos("log", "tail", "--state", state).stdout.splitlines()
    assert len(lines) == 6
    assert "signal accepted: scalper enter buy EURUSD" in lines[1]
    only = argos("log", "tail", "--state", state, "--subject", "order.>", "--json").stdout
    assert [json.loads(line)["sequence"] for line in only.splitlines()] == [4, 5]


def test_an_exported_log_can_be_replayed(record: Record, argos: Argos, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    state = str(record(story()[:2]))
    assert argos("log", "export", "--state", state, "--out", str(out)).exit_code == 0
    from_file = argos("replay", str(out), "--json")
    from_log = argos("replay", "--state", state, "--json")
    assert from_file.exit_code == 0
    assert json.loads(from_file.stdout) == json.loads(from_log.stdout)


def test_replay_of_an_altered_record_is_red(argos: Argos, tmp_path: Path) -> None:
    write_recording(tmp_path / "events.jsonl", as_recorded(story()))
    result = argos("replay", str(tmp_path / "events.jsonl"))
    assert result.exit_code == 3
    assert "REPLAY: FAIL" in result.stdout


def test_trades_and_one_trade_are_shown(record: Record, argos: Argos) -> None:
    state = str(record(story()))
    (row,) = json.loads(argos("trades", "--state", state, "--json").stdout)
    assert (row["trade_id"], row["status"], row["position"]) == (TRADE, "open", "0.1")
    shown = argos("trade", "show", "1111", "--state", state)
    assert shown.exit_code == 0
    assert "filled 0.1 at 1.1" in shown.stdout


def test_a_kill_goes_on_record_while_nothing_else_runs(record: Record, argos: Argos) -> None:
    state = str(record(story()[:4]))
    result = argos("kill", "--state", state, "--reason", "drill", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["log_position"], report["recorded_by"], report["final_by"]) == (
        5,
        "log",
        "lease",
    )
    assert [each["order_id"] for each in report["under_way"]] == [ORDER]
    last = argos("log", "tail", "--state", state, "--from", "5", "--json").stdout
    assert json.loads(last)["event"]["reason"] == "drill"


def test_a_kill_of_an_unknown_account_names_the_known(record: Record, argos: Argos) -> None:
    result = argos("kill", "--state", str(record(story())), "--account", "nobody")
    assert result.exit_code == 2
    assert "use one of mt5-hedge" in result.stderr
