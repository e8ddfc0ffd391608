"""Tells metrics what the reconciler saw."""

from __future__ import annotations

from argos_common.domain.ids import Account
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Snapshot
from argos_common.domain.reconcile import OrderMatched
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.metrics import Metrics

from argos_reconciler.ports import LedgerSize

BASIS_POINTS = 10_000


class ServiceReport:
    """Implements `Report`. `measure` is to be called once a second."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._compared_ns: dict[Account, int] = {}

    def matched(self, event: OrderMatched, trace_id: str) -> None:
        metrics, account = self._metrics, event.account
        metrics.matched.labels(account, event.method.name.lower()).inc()
        if event.latency_ms is not None:
            metrics.hop("fill", float(event.latency_ms) / 1000, trace_id)
        if event.slippage is not None and event.intended_price:
            points = float(event.slippage / event.intended_price * BASIS_POINTS)
            metrics.slippage_basis_points.labels(account).observe(
                points, {"trace_id": trace_id} if trace_id else None
            )
        slipped = float(event.slippage_cash or 0)
        fees = float(event.cost) - slipped
        # A counter only grows, so what is gained is counted apart from what is paid.
        metrics.cost.labels(account, "fees" if fees >= 0 else "rebates").inc(abs(fees))
        metrics.cost.labels(account, "slippage" if slipped >= 0 else "improvement").inc(
            abs(slipped)
        )

    def compared(self, account: Account, snapshot: Snapshot) -> None:
        self._compared_ns[account] = self._clock.monotonic_ns()
        self._metrics.positions.labels(account).set(len(snapshot.positions))
        if snapshot.facts.kind is not AccountKind.SPOT:  # a spot account holds no stops
            bare = sum(each.stop_price is None for each in snapshot.positions)
            self._metrics.unprotected_positions.labels(account).set(bare)

    def projected(self, took_ns: int, waiting: int) -> None:
        self._metrics.ledger_up.set(1)
        self._metrics.ledger_commit_seconds.observe(took_ns / NS_PER_S)
        self._metrics.ledger_waiting.set(waiting)

    def ledger_away(self) -> None:
        self._metrics.ledger_up.set(0)

    def sized(self, size: LedgerSize) -> None:
        """How large the ledger's database is."""
        self._metrics.ledger_bytes.set(size.stored_bytes)
        self._metrics.ledger_connections.set(size.connections)

    def measure(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for account, at_ns in self._compared_ns.items():
            self._metrics.reconciled_age_seconds.labels(account).set((now_ns - at_ns) / NS_PER_S)
