"""Sets the gauges that only who watches the whole fleet can set."""

from __future__ import annotations

from argos_common.domain.order import OrderState
from argos_common.domain.reconcile import DiscrepancyKind
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.metrics import Metrics

from argos_monitor.core.fleet_state import AccountState
from argos_monitor.core.log_server import ServerFigures
from argos_monitor.core.status import HeardFacts
from argos_monitor.ports import View

_UNDER_WAY = frozenset({OrderState.SUBMITTING, OrderState.WORKING, OrderState.PARTLY_FILLED})


class ServiceGauges:
    """Implements `Gauges`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._alerts: set[tuple[str, str]] = set()
        self._counted: dict[tuple[str, str], int] = {}

    def raised(self, code: str) -> None:
        self._metrics.alerts.labels(code).inc()

    def look(self, view: View) -> None:
        metrics, now_ns = self._metrics, view.now_ns
        metrics.healthy.set(int(view.healthy))
        metrics.log_used_ratio.set(float(view.log.used_ratio))
        for service in view.beats.views(now_ns, view.log.last_sequence):
            if service.age_ns is not None:
                metrics.beat_age_seconds.labels(service.name).set(service.age_ns / NS_PER_S)
            if service.lag is not None:
                metrics.fold_lag.labels(service.name).set(service.lag)
        for name, period in view.strategies.items():
            silent_ns = max(0, now_ns - period.seen_ns)
            metrics.strategy_silence_ratio.labels(name).set(silent_ns / period.every_ns)
        for account in view.state.accounts.values():
            self._account(account, now_ns)
        for heard in view.facts.values():
            self._facts(heard, now_ns)
        self._open_alerts(view)

    def log_server(self, figures: ServerFigures | None, unwell: int) -> None:
        metrics = self._metrics
        metrics.nats_up.set(int(figures is not None))
        metrics.nats_servers_unwell.set(unwell)
        if figures is None:
            return
        metrics.nats_connections.set(figures.connections)
        metrics.nats_slow_consumers.set(figures.slow_consumers)
        metrics.nats_memory_bytes.set(figures.memory_bytes)
        metrics.nats_cpu_ratio.set(float(figures.cpu_ratio))
        for direction, total in figures.messages.items():
            metrics.nats_messages.labels(direction).inc(self._since("messages", direction, total))
        for direction, total in figures.transferred_bytes.items():
            metrics.nats_bytes.labels(direction).inc(self._since("bytes", direction, total))
        if figures.stream is not None:
            metrics.stream_messages.set(figures.stream.messages)
            metrics.stream_bytes.set(figures.stream.stored_bytes)
            metrics.stream_consumers.set(figures.stream.consumers)
            metrics.stream_pending.set(figures.stream.pending)
            metrics.stream_redelivered.set(figures.stream.redelivered)

    def _since(self, what: str, direction: str, total: int) -> int:
        """What came on since the last time; a server that started anew counts from nothing."""
        before = self._counted.get((what, direction), 0)
        self._counted[what, direction] = total
        return total - before if total >= before else total

    def _account(self, state: AccountState, now_ns: int) -> None:
        metrics, name = self._metrics, state.account
        metrics.killed.labels(name).set(int(state.control.killed))
        metrics.live.labels(name).set(int(state.config is not None and state.config.live))
        metrics.trades_open.labels(name).set(state.book.open_count())
        metrics.refused_in_a_row.labels(name).set(state.failures)
        doubtful = state.in_doubt()
        metrics.orders_in_doubt.labels(name).set(len(doubtful))
        began_ns = [order.changed_at_ns for order in doubtful]
        metrics.doubt_age_seconds.labels(name).set(_age_s(began_ns, now_ns))
        under_way = [
            order.changed_at_ns for order in state.book.orders.values() if order.state in _UNDER_WAY
        ]
        metrics.order_age_seconds.labels(name).set(_age_s(under_way, now_ns))
        found = [discrepancy for _, discrepancy in state.discrepancies.values()]
        for kind in DiscrepancyKind:
            count = sum(each.kind is kind for each in found)
            metrics.discrepancies_open.labels(name, kind.name.lower()).set(count)
        since_ns = [each.found_at_ns for each in found]
        metrics.discrepancy_age_seconds.labels(name).set(_age_s(since_ns, now_ns))

    def _facts(self, heard: HeardFacts, now_ns: int) -> None:
        metrics, facts = self._metrics, heard.facts
        account, age_ns = facts.account, max(0, now_ns - heard.heard_ns)
        metrics.venue_ready.labels(account).set(int(facts.ready))
        metrics.facts_age_seconds.labels(account).set(age_ns / NS_PER_S)
        skew_ns = facts.node_time_ns - heard.heard_ns
        metrics.clock_skew_seconds.labels(account).set(skew_ns / NS_PER_S)
        metrics.equity.labels(account).set(float(facts.equity))
        metrics.balance.labels(account).set(float(facts.balance))
        for quote in facts.quotes:
            quote_age_s = (quote.age_ns + age_ns) / NS_PER_S
            metrics.quote_age_seconds.labels(account, quote.symbol).set(quote_age_s)
            if quote.bid > 0:
                spread = float((quote.ask - quote.bid) / quote.bid)
                metrics.spread_ratio.labels(account, quote.symbol).set(spread)

    def _open_alerts(self, view: View) -> None:
        counts: dict[tuple[str, str], int] = dict.fromkeys(self._alerts, 0)
        for notice in view.desk.standing():
            key = (notice.code, notice.level)
            counts[key] = counts.get(key, 0) + 1
        for (code, level), count in counts.items():
            self._metrics.alerts_open.labels(code, level).set(count)
        self._alerts.update(counts)


def _age_s(began_ns: list[int], now_ns: int) -> float:
    return max(0, now_ns - min(began_ns)) / NS_PER_S if began_ns else 0.0
