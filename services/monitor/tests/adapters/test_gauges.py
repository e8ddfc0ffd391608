"""The figures of who watches: set from the fold, from what was heard, from the server's counts."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from pathlib import Path

import structlog
from argos_common.domain.event import Event
from argos_common.domain.ids import TradeId
from argos_common.domain.order import OrderInDoubt
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.metrics import Metrics
from argos_common.testing.waiting import FastClock, until
from argos_monitor.adapters.files import watch_files
from argos_monitor.adapters.gauges import ServiceGauges
from argos_monitor.core.conditions import LogView, Period
from argos_monitor.core.desk import Condition, Desk
from argos_monitor.core.fleet_state import FleetState
from argos_monitor.core.heartbeat import Heartbeats
from argos_monitor.core.log_server import ServerFigures
from argos_monitor.core.status import HeardFacts
from argos_monitor.ports import View

from services.monitor.tests.core.test_outside import CERTIFICATE
from services.reconciler.tests.reconciler_kit import (
    CONFIG,
    DEMO,
    EURUSD,
    NOW,
    SECOND,
    entry_story,
    leg,
    signal,
    snapshot,
    submitting,
    verdict,
)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def view(*events: Event, now_ns: int = NOW, desk: Desk | None = None) -> View:
    state = FleetState()
    state.configure(CONFIG)
    for sequence, event in enumerate(events, start=1):
        state.fold(sequence, NOW, event)
    heard = HeardFacts(facts=snapshot().facts, heard_ns=now_ns - 2 * SECOND)
    return View(
        state=state,
        beats=Heartbeats(("risk",), NOW),
        log=LogView(last_sequence=9, used_ratio=Decimal("0.25"), answered_ns=now_ns),
        strategies={"trend": Period(every_ns=60 * SECOND, seen_ns=NOW - 90 * SECOND)},
        facts={DEMO: heard},
        desk=desk or Desk(),
        healthy=True,
        now_ns=now_ns,
    )


def test_an_accounts_figures_follow_from_the_fold_and_from_what_was_heard() -> None:
    metrics = Metrics("monitor")
    ServiceGauges(metrics).look(view(*entry_story(1)))
    assert value(metrics, "argos_trades_open", account=DEMO) == 1
    assert value(metrics, "argos_killed", account=DEMO) == 0
    assert value(metrics, "argos_orders_in_doubt", account=DEMO) == 0
    assert value(metrics, "argos_order_age_seconds", account=DEMO) == 0
    assert value(metrics, "argos_facts_age_seconds", account=DEMO) == 2
    assert value(metrics, "argos_strategy_silence_ratio", strategy="trend") == 1.5
    assert value(metrics, "argos_log_used_ratio") == 0.25
    assert value(metrics, "argos_healthy") == 1


def test_doubt_and_discrepancies_have_a_count_and_an_age() -> None:
    cause = TradeId(signal(1).signal_id)
    claim = submitting(cause, 1)
    doubt = OrderInDoubt(order_id=claim.order_id, account=DEMO, cause="silence", at_ns=NOW)
    found = DiscrepancyFound(
        discrepancy_id="d1", account=DEMO, symbol=EURUSD, kind=DiscrepancyKind.POSITION,
        expected="0", actual="1", sentence="odd", since_ns=NOW, found_at_ns=NOW,
    )  # fmt: skip
    events = (signal(1), verdict(signal(1).signal_id, (leg(cause),)), claim, doubt, found)
    metrics = Metrics("monitor")
    ServiceGauges(metrics).look(view(*events, now_ns=NOW + 40 * SECOND))
    assert value(metrics, "argos_orders_in_doubt", account=DEMO) == 1
    assert value(metrics, "argos_doubt_age_seconds", account=DEMO) == 40
    assert value(metrics, "argos_discrepancies_open", account=DEMO, kind="position") == 1
    assert value(metrics, "argos_discrepancies_open", account=DEMO, kind="balance") == 0
    assert value(metrics, "argos_discrepancy_age_seconds", account=DEMO) == 40


def test_an_alert_that_is_over_is_counted_down_again() -> None:
    metrics, desk = Metrics("monitor"), Desk()
    gauges = ServiceGauges(metrics)
    lasting = Condition(code="kill-engaged", subject="a", level="critical", sentence="x")
    desk.observe([lasting], frozenset(), NOW)
    gauges.look(view(desk=desk))
    labels = {"code": "kill-engaged", "level": "critical"}
    assert value(metrics, "argos_alerts_open", **labels) == 1
    desk.observe([], frozenset(), NOW)
    gauges.look(view(desk=desk))
    assert value(metrics, "argos_alerts_open", **labels) == 0


def figures(messages: int) -> ServerFigures:
    return ServerFigures(
        connections=1, slow_consumers=0, memory_bytes=1, cpu_ratio=Decimal(0),
        messages={"in": messages}, transferred_bytes={"in": 0}, stream=None,
    )  # fmt: skip


def test_a_server_that_starts_anew_counts_on_from_nothing() -> None:
    metrics = Metrics("monitor")
    gauges = ServiceGauges(metrics)
    for messages in (100, 150, 20):
        gauges.log_server(figures(messages), 0)
    assert value(metrics, "argos_nats_messages_total", direction="in") == 170
    gauges.log_server(None, 1)
    assert value(metrics, "argos_nats_up") == 0
    assert value(metrics, "argos_nats_servers_unwell") == 1


def test_what_nobody_has_set_is_not_shown() -> None:
    metrics = Metrics("gateway")
    assert value(metrics, "argos_ledger_up") is None
    assert value(metrics, "argos_ledger_commit_seconds_count") is None
    metrics.ledger_up.set(0)
    assert value(metrics, "argos_ledger_up") == 0


async def test_the_newest_backup_and_every_certificate_have_an_age(tmp_path: Path) -> None:
    backups, folder = tmp_path / "backups", tmp_path / "certificates"
    good, bad, named = folder / "good.pem", folder / "bad.pem", tmp_path / "named"
    backups.mkdir()
    folder.mkdir()
    for name, age_s in (("old", 500), ("new", 100)):
        (backups / name).touch()
        at_s = NOW // NS_PER_S - age_s
        os.utime(backups / name, (at_s, at_s))
    good.write_text(CERTIFICATE)
    bad.write_text("no certificate")
    named.write_text(CERTIFICATE)
    (folder / "notes").touch()
    metrics = Metrics("monitor")
    logger = structlog.get_logger("test")
    clock = FastClock(NOW)
    task = asyncio.create_task(watch_files(backups, (folder, named), clock, metrics, logger))
    try:
        name = "argos_certificate_expires_seconds"
        await until(lambda: value(metrics, name, file=str(named)) is not None)
    finally:
        task.cancel()
    backup_age_s = value(metrics, "argos_backup_age_seconds", folder=str(backups))
    assert backup_age_s is not None
    assert 100 <= backup_age_s < 400
    assert (value(metrics, name, file=str(good)) or 0) > 365 * 86_400
    assert value(metrics, name, file=str(bad)) == 0
    assert value(metrics, name, file=str(folder / "notes")) is None
