"""What the reconciler's figures say of a match, of positions, and of the ledger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from argos_common.domain.reconcile import MatchMethod, OrderMatched
from argos_common.runtime.metrics import Metrics
from argos_common.testing.waiting import FastClock
from argos_reconciler.adapters.report import ServiceReport
from argos_reconciler.ports import LedgerSize

from services.reconciler.tests.reconciler_kit import DEMO, NOW, oid, position, signal, snapshot

TRACE = "6f9a1c1e3a555d0b9f5e0f2f3a7c9b11"


def matched(cost: str, slipped: str) -> OrderMatched:
    return OrderMatched(
        account=DEMO, trade_id=signal().signal_id, order_id=oid(signal().signal_id),  # type: ignore[arg-type]  # a trade's id is its signal's
        method=MatchMethod.TAG, deal_ids=("1",), quantity=Decimal(1), average_price=Decimal(101),
        commission=Decimal(1), cost=Decimal(cost), matched_at_ns=NOW, intended_price=Decimal(100),
        slippage=Decimal("0.05"), slippage_cash=Decimal(slipped), latency_ms=Decimal(12),
    )  # fmt: skip


def test_costs_and_gains_are_counted_apart_because_counters_only_grow() -> None:
    metrics = Metrics("reconciler")
    report = ServiceReport(metrics, FastClock(NOW))
    report.matched(matched("3", "2"), TRACE)
    report.matched(matched("-5", "-4"), TRACE)

    def cost(kind: str) -> float | None:
        return metrics.registry.get_sample_value(
            "argos_cost_total", {"account": DEMO, "kind": kind}
        )

    found = [cost(kind) for kind in ("fees", "slippage", "rebates", "improvement")]
    assert found == [1, 2, 1, 4]


def test_slippage_is_in_basis_points_and_a_fills_time_leads_to_its_trace() -> None:
    metrics = Metrics("reconciler")
    ServiceReport(metrics, FastClock(NOW)).matched(matched("0", "0"), TRACE)
    (slippage,) = [m for m in metrics.registry.collect() if "slippage" in m.name]
    reached = [s for s in slippage.samples if s.name.endswith("_bucket") and s.value]
    assert reached[0].labels["le"] == "5.0"
    (hops,) = [m for m in metrics.registry.collect() if m.name == "argos_hop_seconds"]
    assert [s.exemplar.labels for s in hops.samples if s.exemplar] == [{"trace_id": TRACE}]


def test_positions_without_a_stop_are_counted_as_the_venue_shows_them() -> None:
    metrics = Metrics("reconciler")
    report = ServiceReport(metrics, FastClock(NOW))
    bare, safe = position("p1"), replace(position("p2"), stop_price=Decimal(1))
    report.compared(DEMO, replace(snapshot(), positions=(bare, safe)))

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"account": DEMO})

    assert (value("argos_positions"), value("argos_unprotected_positions")) == (2, 1)
    assert value("argos_reconciled_age_seconds") is None
    report.measure()
    assert value("argos_reconciled_age_seconds") is not None


def test_the_ledgers_state_and_size_are_shown() -> None:
    metrics = Metrics("reconciler")
    report = ServiceReport(metrics, FastClock(NOW))
    report.projected(2_000_000, 3)
    report.sized(LedgerSize(4096, 2))
    value = metrics.registry.get_sample_value
    assert (value("argos_ledger_up"), value("argos_ledger_waiting")) == (1, 3)
    assert (value("argos_ledger_bytes"), value("argos_ledger_connections")) == (4096, 2)
    report.ledger_away()
    assert value("argos_ledger_up") == 0
