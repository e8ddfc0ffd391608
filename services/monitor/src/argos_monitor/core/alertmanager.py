"""Alerts that Prometheus's Alertmanager sends, as notices of ours.

An alert that fires and one that is over are two notices. The ids are derived from the alert's own
fingerprint and beginning, so however often Alertmanager repeats itself, each is told once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from argos_monitor.core.notice import Notice, digest

LEVELS = {"critical": "critical", "warning": "warning", "info": "info"}
CODE = "alertmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideAlert:
    """One alert as it was sent. `starts_at` is its own text, only compared."""

    firing: bool
    fingerprint: str
    starts_at: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def notice_of(alert: OutsideAlert) -> Notice:
    """What to tell of it."""
    name = alert.labels.get("alertname", "an alert without a name")
    summary = alert.annotations.get("summary") or name
    runbook = alert.annotations.get("runbook_url")
    tail = f" (what to do: {runbook})" if runbook and alert.firing else ""
    level = LEVELS.get(alert.labels.get("severity", ""), "warning")
    known = digest(f"{alert.fingerprint} {alert.starts_at}")
    return Notice(
        alert_id=f"{CODE}-{known}-{'firing' if alert.firing else 'over'}",
        level=level if alert.firing else "info",
        code=CODE,
        sentence=f"{'' if alert.firing else 'over: '}{name}: {summary}{tail}",
        account=alert.labels.get("account", ""),
    )
