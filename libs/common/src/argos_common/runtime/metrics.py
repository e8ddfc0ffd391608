"""Every metric of the fleet, by its name, in one place. Ids are never labels; traces have them."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

SECONDS = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the latency histogram's buckets."""


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, service: str, incarnation: str) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.service = Gauge(
            "argos_service",
            "1 for a running process",
            ["service", "incarnation"],
            registry=registry,
        )
        self.service.labels(service, incarnation).set(1)
        self.hop_seconds = Histogram(
            "argos_hop_seconds", "Time of one hop", ["hop"], buckets=SECONDS, registry=registry
        )
        self.appends = Counter(
            "argos_appends", "Appends to the log by answer", ["kind", "answer"], registry=registry
        )
        self.folded_sequence = Gauge(
            "argos_folded_sequence", "Last log entry folded", registry=registry
        )
        self.log_used_ratio = Gauge(
            "argos_log_used_ratio", "Bytes stored in the log over bytes allowed", registry=registry
        )
        self.nats_connected = Gauge(
            "argos_nats_connected", "1 while NATS is connected", registry=registry
        )
        self.beats = Counter("argos_beats", "Heartbeats sent", registry=registry)
        self.signals = Counter(
            "argos_signals", "Signals by answer given", ["source", "answer"], registry=registry
        )
        self.refusals = Counter(
            "argos_refusals", "Signals refused at the door", ["source", "code"], registry=registry
        )
        self.strategy_seen = Gauge(
            "argos_strategy_seen_seconds",
            "When a strategy was last heard of, Unix time",
            ["strategy"],
            registry=registry,
        )
        self._add_order_path(registry)
        self._add_watch(registry)

    def _add_order_path(self, registry: CollectorRegistry) -> None:
        self.verdicts = Counter(
            "argos_verdicts", "Verdicts by decision", ["account", "decision"], registry=registry
        )
        self.rule_failures = Counter(
            "argos_rule_failures", "Rules that refused", ["account", "rule"], registry=registry
        )
        self.leases = Counter(
            "argos_leases", "Lease requests by answer", ["account", "answer"], registry=registry
        )
        self.killed = Gauge(
            "argos_killed", "1 while a kill switch is engaged", ["account"], registry=registry
        )
        self.orders = Counter(
            "argos_orders", "Orders by state reached", ["account", "state"], registry=registry
        )
        self.orders_in_doubt = Gauge(
            "argos_orders_in_doubt", "Orders whose outcome is unknown", ["account"],
            registry=registry,
        )  # fmt: skip
        self.venue_calls = Counter(
            "argos_venue_calls", "Calls to the venue by result", ["node", "result"],
            registry=registry,
        )  # fmt: skip

    def _add_watch(self, registry: CollectorRegistry) -> None:
        self.discrepancies_open = Gauge(
            "argos_discrepancies_open", "Unresolved discrepancies", ["account"], registry=registry
        )
        self.matched = Counter(
            "argos_matched", "Orders matched by method", ["account", "method"], registry=registry
        )
        self.alerts = Counter("argos_alerts", "Alerts raised", ["kind"], registry=registry)
        self.beat_age_seconds = Gauge(
            "argos_beat_age_seconds", "Since a service was last heard of", ["service"],
            registry=registry,
        )  # fmt: skip
