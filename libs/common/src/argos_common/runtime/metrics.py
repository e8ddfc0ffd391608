"""Every metric of the fleet, by its name, in one place. Ids are never labels; traces have them.

A process has all of them and shows those it has set. Counters and histograms are fed where something
happens; gauges once a second, beside the heartbeat. `Metrics.declared` is what dashboards, alert
rules and docs are checked against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)

SECONDS = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the latency histograms' buckets."""

BASIS_POINTS = (-20.0, -10.0, -5.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Upper bounds of the slippage histogram's buckets; positive is worse."""

HOPS = {
    "alert": "fired at the sender to received; the sender's clock, which may have whole seconds only",
    "gateway": "received to answered",
    "verdict": "received to the verdict on record",
    "claim": "the claim's append to its answer",
    "submit": "sent to the node to answered",
    "venue": "asked of the venue to answered",
    "fill": "received to the venue's fill",
}
"""What the hops of `argos_hop_seconds` measure."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric: its name as Prometheus stores it (of a histogram without suffix), and its kind."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...]


class _Gauge(Gauge):
    """One without labels, that shows nothing before it is set."""

    shown = False

    def set(self, value: float) -> None:
        self.shown = True
        super().set(value)

    def collect(self) -> Iterable[Metric]:
        return super().collect() if self.shown else ()


class _Histogram(Histogram):
    """The same."""

    shown = False

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        self.shown = True
        super().observe(amount, exemplar)

    def collect(self) -> Iterable[Metric]:
        return super().collect() if self.shown else ()


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.declared: dict[str, Declared] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._add_process(service)
        self._add_order_path()
        self._add_venue()
        self._add_reconciliation()
        self._add_watch()
        self._add_log_server()

    def hop(self, name: str, seconds: float, trace_id: str = "") -> None:
        """The time of one hop, with the trace it can be looked up in."""
        series = self._hops.get(name)
        if series is None:
            series = self._hops[name] = self.hop_seconds.labels(name)
        series.observe(seconds, {"trace_id": trace_id} if trace_id else None)

    # --- what each part of the fleet knows

    def _add_process(self, service: str) -> None:
        self.service = self._gauge("argos_service", "1 for a running process", "service")
        self.service.labels(service).set(1)
        self.loop_lag_seconds = self._gauge(
            "argos_loop_lag_seconds", "How late the event loop was at the last heartbeat"
        )
        self.beats = self._counter("argos_beats", "Heartbeats sent")
        self.spans = self._counter("argos_spans", "Spans of traces, written or dropped", "result")
        self.folded_sequence = self._gauge("argos_folded_sequence", "Last log entry folded")
        self.nats_connected = self._gauge("argos_nats_connected", "1 while NATS is connected")
        self.log_used_ratio = self._gauge(
            "argos_log_used_ratio", "Bytes stored in the log over bytes allowed"
        )
        self.appends = self._counter(
            "argos_appends", "Appends to the log by answer", "kind", "answer"
        )
        self.append_seconds = self._histogram(
            "argos_append_seconds", "Time from an append to its answer", SECONDS, "kind"
        )

    def _add_order_path(self) -> None:
        self.hop_seconds = self._histogram(
            "argos_hop_seconds", "Time of one hop of a signal's way", SECONDS, "hop"
        )
        self._hops: dict[str, Histogram] = {}
        self.signals = self._counter("argos_signals", "Signals by answer given", "source", "answer")
        self.refusals = self._counter(
            "argos_refusals", "Signals refused at the door", "source", "code"
        )
        self.verdicts = self._counter(
            "argos_verdicts", "Verdicts by decision", "account", "decision"
        )
        self.rule_failures = self._counter(
            "argos_rule_failures", "Rules that refused", "account", "rule"
        )
        self.limit_used_ratio = self._gauge(
            "argos_limit_used_ratio", "How much of a limit is used; 1 is all", "account", "limit"
        )
        self.leases = self._counter("argos_leases", "Lease requests by answer", "account", "answer")
        self.lease_age_seconds = self._gauge(
            "argos_lease_age_seconds", "Since a lease was last granted", "account"
        )
        self.orders = self._counter(
            "argos_orders", "Events of orders by the state they led to", "account", "state"
        )
        self.outcomes = self._counter(
            "argos_outcomes", "What submissions came to", "account", "result"
        )

    def _add_venue(self) -> None:
        self.venue_calls = self._counter(
            "argos_venue_calls", "Orders asked of the venue by result", "account", "result"
        )
        self.venue_codes = self._counter(
            "argos_venue_codes", "The venue's return codes", "account", "code"
        )
        self.venue_ready = self._gauge(
            "argos_venue_ready", "1 while orders can be placed", "account"
        )
        self.facts_age_seconds = self._gauge(
            "argos_facts_age_seconds", "Since the venue's facts were last heard", "account"
        )
        self.clock_skew_seconds = self._gauge(
            "argos_clock_skew_seconds", "The node's clock less the monitor's", "account"
        )
        self.quote_age_seconds = self._gauge(
            "argos_quote_age_seconds", "Age of the newest quote", "account", "symbol"
        )
        self.spread_ratio = self._gauge(
            "argos_spread_ratio", "Ask less bid over bid", "account", "symbol"
        )
        self.equity = self._gauge("argos_equity", "Equity in the account's currency", "account")
        self.balance = self._gauge("argos_balance", "Balance in the account's currency", "account")

    def _add_reconciliation(self) -> None:
        self.matched = self._counter(
            "argos_matched", "Orders matched by method", "account", "method"
        )
        self.slippage_basis_points = self._histogram(
            "argos_slippage_basis_points",
            "Fill price against the intended price; positive is worse",
            BASIS_POINTS,
            "account",
        )
        self.cost = self._counter(
            "argos_cost", "What fills cost, in the account's currency", "account", "kind"
        )
        self.discrepancies_open = self._gauge(
            "argos_discrepancies_open", "Unresolved discrepancies", "account", "kind"
        )
        self.reconciled_age_seconds = self._gauge(
            "argos_reconciled_age_seconds", "Since the venue was last compared with", "account"
        )
        self.positions = self._gauge("argos_positions", "Positions at the venue", "account")
        self.unprotected_positions = self._gauge(
            "argos_unprotected_positions", "Positions at the venue without a stop", "account"
        )
        self.ledger_up = self._gauge("argos_ledger_up", "1 while the ledger can be written")
        self.ledger_waiting = self._gauge(
            "argos_ledger_waiting", "Log entries that wait for the ledger"
        )
        self.ledger_commit_seconds = self._histogram(
            "argos_ledger_commit_seconds", "Time of one batch into the ledger", SECONDS
        )
        self.ledger_bytes = self._gauge("argos_ledger_bytes", "Size of the ledger's database")
        self.ledger_connections = self._gauge(
            "argos_ledger_connections", "Connections to the ledger's database"
        )

    def _add_watch(self) -> None:
        self.healthy = self._gauge("argos_healthy", "1 while nobody is late and the log answers")
        self.beat_age_seconds = self._gauge(
            "argos_beat_age_seconds", "Since a service was last heard of", "service"
        )
        self.fold_lag = self._gauge(
            "argos_fold_lag", "Log entries a service has still to fold", "service"
        )
        self.killed = self._gauge("argos_killed", "1 while a kill switch is engaged", "account")
        self.live = self._gauge("argos_live", "1 for an account with real money", "account")
        self.trades_open = self._gauge("argos_trades_open", "Trades not over", "account")
        self.orders_in_doubt = self._gauge(
            "argos_orders_in_doubt", "Orders whose outcome is unknown", "account"
        )
        self.doubt_age_seconds = self._gauge(
            "argos_doubt_age_seconds", "Age of the oldest doubt, 0 without one", "account"
        )
        self.order_age_seconds = self._gauge(
            "argos_order_age_seconds",
            "Since the oldest order under way last changed, 0 without one",
            "account",
        )
        self.refused_in_a_row = self._gauge(
            "argos_refused_in_a_row", "Orders refused since the last that was not", "account"
        )
        self.discrepancy_age_seconds = self._gauge(
            "argos_discrepancy_age_seconds", "Age of the oldest discrepancy", "account"
        )
        self.strategy_silence_ratio = self._gauge(
            "argos_strategy_silence_ratio",
            "Since a strategy was last heard of, in its own periods",
            "strategy",
        )
        self.alerts = self._counter("argos_alerts", "Alerts raised", "code")
        self.alerts_open = self._gauge("argos_alerts_open", "Alerts not over", "code", "level")

    def _add_log_server(self) -> None:
        self.nats_up = self._gauge("argos_nats_up", "1 while a server of the log says it is well")
        self.nats_servers_unwell = self._gauge(
            "argos_nats_servers_unwell", "Servers of the log that are away or could not write"
        )
        self.nats_connections = self._gauge("argos_nats_connections", "Clients connected")
        self.nats_slow_consumers = self._gauge(
            "argos_nats_slow_consumers", "Clients dropped for being slow, since the server started"
        )
        self.nats_memory_bytes = self._gauge("argos_nats_memory_bytes", "The server's memory")
        self.nats_cpu_ratio = self._gauge("argos_nats_cpu_ratio", "The server's share of a core")
        self.nats_messages = self._counter(
            "argos_nats_messages", "Messages through the server", "direction"
        )
        self.nats_bytes = self._counter("argos_nats_bytes", "Bytes through the server", "direction")
        self.stream_messages = self._gauge("argos_stream_messages", "Entries in the log")
        self.stream_bytes = self._gauge("argos_stream_bytes", "Bytes in the log")
        self.stream_consumers = self._gauge("argos_stream_consumers", "Readers of the log")
        self.stream_pending = self._gauge(
            "argos_stream_pending", "Entries not delivered yet to the reader furthest behind"
        )
        self.stream_redelivered = self._gauge(
            "argos_stream_redelivered", "Entries delivered more than once and not acknowledged"
        )
        self.backup_age_seconds = self._gauge(
            "argos_backup_age_seconds", "Age of the newest file in the backup folder", "folder"
        )
        self.certificate_expires_seconds = self._gauge(
            "argos_certificate_expires_seconds", "Until a certificate expires", "file"
        )

    # --- declaring

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        self._declare(f"{name}_total", "counter", about, labels)
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        self._declare(name, "gauge", about, labels)
        kind = Gauge if labels else _Gauge
        return kind(name, about, labels, registry=self.registry)

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        self._declare(name, "histogram", about, labels)
        kind = Histogram if labels else _Histogram
        return kind(name, about, labels, buckets=buckets, registry=self.registry)

    def _declare(self, name: str, kind: str, about: str, labels: tuple[str, ...]) -> None:
        self.declared[name] = Declared(name, kind, about, labels)
