"""The fleet at one moment, as `/api/system/status` tells it. Plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argos_common.domain.money import plain
from argos_common.domain.node import AccountFacts
from argos_common.domain.times import NS_PER_MS, NS_PER_S
from argos_common.runtime.times import utc_text

from argos_monitor.core.conditions import UNREACHABLE_NS, LogView
from argos_monitor.core.fleet_state import AccountState, FleetState
from argos_monitor.core.heartbeat import Heartbeats, Liveness, ServiceView

Json = dict[str, Any]  # plain JSON, of any shape
FACTS_STALE_NS = 5 * NS_PER_S
_RANK = (Liveness.ONLINE, Liveness.UNKNOWN, Liveness.LATE, Liveness.OFFLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardFacts:
    """What a venue node last said of an account, and when it was heard."""

    facts: AccountFacts
    heard_ns: int


def fleet_status(
    state: FleetState,
    beats: Heartbeats,
    log: LogView,
    facts: Mapping[str, HeardFacts],
    *,
    pid: int,
    now_ns: int,
) -> Json:
    """The whole status. `status`: online, stale (somebody is late, the log is silent) or offline."""
    services = beats.views(now_ns, log.last_sequence)
    expected = [each for each in services if each.name in beats.expected]
    worst = max((each.liveness for each in expected), key=_RANK.index, default=Liveness.OFFLINE)
    age_ns, fresh = _log_age(log, now_ns)
    if worst is Liveness.OFFLINE:
        status = "offline"
    else:
        status = "online" if worst is Liveness.ONLINE and fresh else "stale"
    return {
        "status": status,
        "healthy": status == "online",
        "message": _message(state, expected, fresh=fresh),
        "process": {"running": worst is not Liveness.OFFLINE, "pid": str(pid)},
        "log": {
            "fresh": fresh,
            "age_seconds": None if age_ns is None else age_ns // NS_PER_S,
            "last_update": utc_text(log.answered_ns) if log.answered_ns else None,
            "max_age_seconds": UNREACHABLE_NS // NS_PER_S,
            "generation": log.generation,
            "last_sequence": log.last_sequence,
            "used_ratio": plain(log.used_ratio),
            "folded_sequence": state.sequence,
            "last_entry_age_seconds": _age_s(state.appended_ns, now_ns),
        },
        "timestamp": utc_text(now_ns),
        "timestamp_ns": now_ns,
        "services": [_service(each) for each in services],
        "accounts": [
            _account(each, facts.get(each.account), now_ns) for each in state.accounts.values()
        ],
        "kill": _kill(state),
        "today": {
            "signals": state.today.signals,
            "refused_at_door": state.today.refused_at_door,
            "verdicts": state.today.verdicts,
            "orders": state.today.orders,
            "fills": state.today.fills,
            "matched": state.today.matched,
            "discrepancies_open": sum(len(a.discrepancies) for a in state.accounts.values()),
        },
    }


def is_healthy(beats: Heartbeats, log: LogView, now_ns: int) -> bool:
    """Whether every expected service is heard of in time and the log answers."""
    return _log_age(log, now_ns)[1] and all(
        beats.liveness(name, now_ns) is Liveness.ONLINE for name in beats.expected
    )


def _log_age(log: LogView, now_ns: int) -> tuple[int | None, bool]:
    """(since when the log last answered, whether that is not long ago)."""
    age_ns = now_ns - log.answered_ns if log.answered_ns else None
    return age_ns, age_ns is not None and age_ns <= UNREACHABLE_NS


def waiting_status(pid: int) -> Json:
    """The status before the log was there for the first time."""
    return {
        "status": "offline",
        "healthy": False,
        "message": "waiting for NATS",
        "process": {"running": False, "pid": str(pid)},
        "log": {"fresh": False, "age_seconds": None},
        "services": [],
        "accounts": [],
    }


def _message(state: FleetState, services: list[ServiceView], *, fresh: bool) -> str:
    wrong = [
        f"{each.name} is {each.liveness.value}"
        for each in services
        if each.liveness is not Liveness.ONLINE
    ]
    if not fresh:
        wrong.append("the log does not answer")
    killed = [each.account for each in state.accounts.values() if each.control.killed]
    if killed:
        wrong.append(f"the kill switch is engaged on {', '.join(killed)}")
    doubt = sum(len(each.in_doubt()) for each in state.accounts.values())
    if doubt:
        wrong.append(f"{doubt} order{'s are' if doubt > 1 else ' is'} in doubt")
    held = sorted({s for each in state.accounts.values() for s in each.held_symbols()})
    if held:
        wrong.append(f"held because of discrepancies: {', '.join(held)}")
    return "; ".join(wrong) if wrong else "Fleet running normally"


def _service(view: ServiceView) -> Json:
    return {
        "name": view.name,
        "state": view.liveness.value,
        "age_ms": None if view.age_ns is None else view.age_ns // NS_PER_MS,
        "said": view.said,
        "detail": view.detail,
        "sequence": view.sequence,
        "lag": view.lag,
    }


def _account(state: AccountState, heard: HeardFacts | None, now_ns: int) -> Json:
    config, control, fill = state.config, state.control, state.last_fill
    fresh = heard is not None and now_ns - heard.heard_ns <= FACTS_STALE_NS
    return {
        "account": state.account,
        "mode": "live" if config is not None and config.live else "paper",
        "node": config.node if config is not None else "",
        "killed": control.killed,
        "reason": control.kill_reason if control.killed else "",
        "venue": {
            "ready": bool(heard and fresh and heard.facts.ready),
            "reason": (heard.facts.reason if fresh else "no news of the venue") if heard else "",
            "equity": plain(heard.facts.equity) if heard else None,
            "balance": plain(heard.facts.balance) if heard else None,
            "currency": heard.facts.currency if heard else "",
            "age_ms": (now_ns - heard.heard_ns) // NS_PER_MS if heard else None,
        },
        "open_positions": state.book.open_count(),
        "in_doubt": len(state.in_doubt()),
        "held_symbols": list(state.held_symbols()),
        "discrepancies": [
            {
                "discrepancy_id": each.discrepancy_id,
                "symbol": each.symbol,
                "sentence": each.sentence,
            }
            for _, each in state.discrepancies.values()
        ],
        "config_hash": control.config_hash,
        "config_proposal": control.proposal.config_hash if control.proposal else None,
        "last_fill": None
        if fill is None
        else {
            "order_id": fill.order_id,
            "trade_id": fill.trade_id,
            "symbol": fill.symbol,
            "quantity": fill.quantity,
            "price": fill.price,
            "age_seconds": _age_s(fill.at_ns, now_ns),
        },
    }


def _kill(state: FleetState) -> Json:
    engaged = [each for each in state.accounts.values() if each.control.killed]
    return {
        "engaged": bool(engaged),
        "fleet": any(each.control.fleet_killed for each in engaged),
        "accounts": [each.account for each in engaged],
        "reason": engaged[0].control.kill_reason if engaged else "",
    }


def _age_s(at_ns: int, now_ns: int) -> int | None:
    return max(now_ns - at_ns, 0) // NS_PER_S if at_ns else None
