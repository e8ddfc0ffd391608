"""The reckoning at the end: every figure, and whether every promise held.

Figures come from whoever could contradict the fleet: answers as the poster saw them, orders and
deals as the venues recorded them, and the log as it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from argos_common.domain.verdict import Decision

from argos_cli.audit.promises import Audit, Check
from argos_cli.client.commands import KillReport
from argos_cli.client.history import Recorded
from argos_cli.demo.play import StepResult
from argos_cli.demo.stage import Sent
from argos_cli.demo.witness import Record
from argos_cli.report.hops import Hop, hops
from argos_cli.report.orders import OrderRow, RunFold
from argos_cli.report.trades import trade_lines
from argos_cli.report.view import Promise

OK, REFUSED_FROM = 200, 400
ANSWER_MS_MAX = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the reckoning looks at. `routes`: strategy -> accounts, as configured.

    `ledger`: what the ledger says, None if it was not asked.
    """

    items: Sequence[Recorded]
    run: RunFold
    sent: Sequence[Sent]
    record: Record
    results: Sequence[StepResult]
    kill: KillReport | None
    routes: Mapping[str, Sequence[str]]
    ledger: Check | None = None


def zeros(evidence: Evidence) -> dict[str, int]:
    """What must be zero, by name."""
    run = evidence.run
    return {
        "lost signals": len(lost_signals(evidence)),
        "duplicate orders": max(evidence.record.duplicates(), run.duplicate_orders()),
        "unmatched fills": sum(1 for row in run.orders.values() if row.has_fill and not row.match),
        "deals missing or unknown": len(deal_differences(evidence)),
        "open discrepancies": len(run.discrepancies),
        "in doubt left": len(in_doubt_left(run)),
        "entries submitted after the kill": len(run.entries_after_kill()),
    }


def lost_signals(evidence: Evidence) -> list[str]:
    """Alerts that were answered 200 accepted, and lack their entry or one of their verdicts."""
    lost = []
    for sent in evidence.sent:
        if sent.word != f"{OK} accepted":
            continue
        if sent.signal_id not in evidence.run.signals:
            lost.append(f"{sent.signal_id} is not in the log")
            continue
        for account in evidence.routes.get(sent.alert.strategy, ()):
            if (sent.signal_id, account) not in evidence.run.verdicts:
                lost.append(f"{sent.signal_id} has no verdict on {account}")
    return lost


def deal_differences(evidence: Evidence) -> list[str]:
    """Deals that only the venues know, or only the log."""
    at_venue = {(deal.account, deal.deal_id) for deal in evidence.record.deals}
    on_record = {(event.account, event.deal.deal_id) for event, _ in evidence.run.deals}
    return [
        f"deal {deal} on {account} is {where}"
        for account, deal, where in (
            *((a, d, "not on record") for a, d in sorted(at_venue - on_record)),
            *((a, d, "not known to the venue") for a, d in sorted(on_record - at_venue)),
        )
    ]


def in_doubt_left(run: RunFold) -> list[OrderRow]:
    """Orders of which nobody knows what became of them."""
    return [row for row in run.orders.values() if not (row.fill or row.refused or row.absent)]


def submitted(run: RunFold) -> list[OrderRow]:
    """Claims that reached the venue: its own answer, or evidence found there, says so."""
    return [
        row
        for row in run.orders.values()
        if row.hops.called_ns or (row.has_fill and row.reached_venue)
    ]


def promises(evidence: Evidence) -> list[Promise]:
    """Every promise of the steps, of the whole, and of the log."""
    found = [
        Promise(
            name=f"{result.number}. {result.step.title}", held=result.held, detail=result.detail
        )
        for result in evidence.results
    ]
    found += _of_the_whole(evidence)
    audit = Audit()
    for item in evidence.items:
        audit.take(item)
    checks = [*audit.checks(), *([evidence.ledger] if evidence.ledger is not None else [])]
    for check in checks:
        detail = "; ".join(check.broken) or check.looked_at
        found.append(Promise(name=f"verify: {check.name}", held=check.passed, detail=detail))
    return found


def _of_the_whole(evidence: Evidence) -> list[Promise]:
    run, record = evidence.run, evidence.record
    ours, claims = len(record.ours()), len(submitted(run))
    slowest = max((sent.took_ms for sent in evidence.sent), default=0.0)
    lost, deals = lost_signals(evidence), deal_differences(evidence)
    after = run.entries_after_kill()
    unmatched = [r.claim.order_id for r in run.orders.values() if r.has_fill and not r.match]
    return [
        Promise(
            name="every accepted signal has a verdict for every account",
            held=not lost,
            detail="; ".join(lost) or f"{run.verdicts_given} verdicts",
        ),
        Promise(
            name="the venues recorded as many orders of ours as were submitted",
            held=ours == claims,
            detail=f"{claims} submitted, {ours} recorded by the venues,"
            f" {len(record.born_at_broker())} born at the broker",
        ),
        Promise(
            name="no order was placed twice",
            held=record.duplicates() == 0 and run.duplicate_orders() == 0,
            detail=f"{ours} orders, each with a tag of its own",
        ),
        Promise(
            name="every fill is reconciled",
            held=not unmatched,
            detail=", ".join(unmatched)
            or f"{sum(1 for r in run.orders.values() if r.match)} fills",
        ),
        Promise(
            name="the log and the venues know the same deals",
            held=not deals,
            detail="; ".join(deals) or f"{len(run.deals)} deals",
        ),
        Promise(
            name="no discrepancy is open, nothing is in doubt",
            held=not run.discrepancies and not in_doubt_left(run),
            detail=f"{len(run.discrepancies)} open, {len(in_doubt_left(run))} in doubt",
        ),
        Promise(
            name="nothing that adds risk was submitted after the kill",
            held=not after and evidence.kill is not None,
            detail=", ".join(row.claim.order_id for row in after)
            or f"kill at entry {evidence.kill.log_position if evidence.kill else '?'}",
        ),
        Promise(
            name="every alert was answered before TradingView gives up (3 s)",
            held=slowest < ANSWER_MS_MAX,
            detail=f"slowest answer {slowest:.0f} ms of {len(evidence.sent)}",
        ),
    ]


def document(evidence: Evidence, *, run_id: str, folder: str, seconds: float) -> dict[str, Any]:
    """What `argos demo --json` prints."""
    run, record = evidence.run, evidence.record
    answers = Counter(sent.word for sent in evidence.sent)
    decisions = Counter(verdict.decision for verdict, _ in run.verdicts.values())
    doubted = [row for row in run.orders.values() if row.doubt is not None]
    held = promises(evidence)
    must_be_zero = zeros(evidence)
    return {
        "run": run_id,
        "folder": folder,
        "seconds": round(seconds, 1),
        "all_held": all(promise.held for promise in held),
        "signals_accepted": answers[f"{OK} accepted"],
        "signals_duplicate": answers[f"{OK} duplicate"],
        "signals_refused_at_door": sum(1 for s in evidence.sent if s.status >= REFUSED_FROM),
        "answers": dict(sorted(answers.items())),
        "verdicts": {each.name.lower(): decisions[each] for each in Decision},
        "orders_submitted": len(submitted(run)),
        "broker_orders": len(record.ours()),
        "broker_born_orders": len(record.born_at_broker()),
        "fills": sum(1 for row in run.orders.values() if row.has_fill),
        "matched": sum(1 for row in run.orders.values() if row.match),
        "duplicate_orders": must_be_zero["duplicate orders"],
        "lost_signals": must_be_zero["lost signals"],
        "unmatched_fills": must_be_zero["unmatched fills"],
        "discrepancies_open": must_be_zero["open discrepancies"],
        "discrepancies_seen": run.discrepancies_seen,
        "in_doubt_seen": len(doubted),
        "in_doubt_resolved": sum(1 for row in doubted if row.fill or row.refused or row.absent),
        "in_doubt_left": must_be_zero["in doubt left"],
        "kill": _kill(evidence),
        "must_be_zero": must_be_zero,
        "trades": [
            {"trade_id": line.trade_id, "account": line.account, "hops": trade_hops(run, line)}
            for line in trade_lines(run)
        ],
        "promises": [asdict(promise) for promise in held],
    }


def _kill(evidence: Evidence) -> dict[str, Any]:
    kill = evidence.kill
    if kill is None:
        return {}
    return {
        "log_position": kill.log_position,
        "positions": kill.positions,
        "named_in_flight": [each.order_id for each in kill.under_way],
        "confirmed_by": list(kill.confirmed),
        "final_by": kill.final_by,
        "entries_submitted_after": len(evidence.run.entries_after_kill()),
    }


def trade_hops(run: RunFold, line: Any) -> list[dict[str, Any]]:
    """The hops of the order that opened a trade."""
    return [
        {"hop": hop.name, "at_ns": hop.at_ns, "ms": round(hop.ms, 3),
         "since_ms": round(hop.since_ms, 3)}
        for hop in opening_hops(run, line.trade_id, line.account)
    ]  # fmt: skip


def opening_hops(run: RunFold, trade_id: str, account: str) -> list[Hop]:
    """The hops of the first order of a trade; empty if a signal did not lead to it."""
    for row in run.orders.values():
        if (row.claim.trade_id, row.claim.account) == (trade_id, account):
            return hops(run, row)
    return []
