"""Signals and what became of them, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.verdict import VerdictGiven

from argos_monitor.core.timeline import Told
from argos_monitor.core.words import DECISIONS, wish

Json = dict[str, Any]  # plain JSON, of any shape


def signal_lines(told: Sequence[Told]) -> list[Json]:
    """One line per signal, the newest first, each with a verdict per account."""
    verdicts: dict[str, list[VerdictGiven]] = {}
    for item in told:
        if isinstance(item.event, VerdictGiven):
            verdicts.setdefault(item.event.cause_id, []).append(item.event)
    lines = []
    for item in reversed(told):
        match item.event:
            case SignalAccepted() as event:
                lines.append(_accepted(item, event, verdicts.get(event.signal_id, [])))
            case SignalRefused() as event:
                lines.append(_refused(item, event))
            case _:
                pass
    return lines


def _accepted(item: Told, event: SignalAccepted, verdicts: list[VerdictGiven]) -> Json:
    return {
        "signal_id": event.signal_id,
        "sequence": item.sequence,
        "source": event.source,
        "strategy": event.strategy,
        "bot_version": event.bot_version,
        "symbol": event.symbol,
        "wish": wish(event),
        "accepted": True,
        "code": "",
        "reason": "accepted" if verdicts else "accepted; no verdict yet",
        "received_at_ns": event.received_at_ns,
        "appended_ns": item.appended_ns,
        "verdicts": [_verdict(each) for each in verdicts],
    }


def _refused(item: Told, event: SignalRefused) -> Json:
    return {
        "signal_id": event.signal_id,
        "sequence": item.sequence,
        "source": event.source,
        "strategy": event.strategy,
        "bot_version": "",
        "symbol": event.symbol,
        "wish": "",
        "accepted": False,
        "code": event.code,
        "reason": event.sentence,
        "received_at_ns": event.received_at_ns,
        "appended_ns": item.appended_ns,
        "verdicts": [],
    }


def _verdict(event: VerdictGiven) -> Json:
    return {
        "account": event.account,
        "decision": DECISIONS[event.decision],
        "change": event.change.name.lower(),
        "reason": event.reason,
        "trade_id": event.trade_id,
        "failed_rules": [
            {"rule": rule.rule, "value": rule.value, "limit": rule.limit, "sentence": rule.sentence}
            for rule in event.rules
            if not rule.passed
        ],
        "rules": len(event.rules),
    }
