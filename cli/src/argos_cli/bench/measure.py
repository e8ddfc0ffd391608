"""Measuring a running fleet: latency per hop at a rate, and what it sustains."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from argos_common.domain.ids import SignalId
from argos_common.domain.order import OrderDeclined, OrderSubmitting
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.nats_log import NatsLog
from argos_common.wire.codec import decode
from argos_common.wire.subjects import PREFIX

from argos_cli.bench.config import SOURCE
from argos_cli.bench.load import Answered, LoadPlan, answers
from argos_cli.bench.loading import load_process
from argos_cli.client.history import Recorded, follow
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.report.hops import CALLED, MATCHED, RECEIVED, hops, moments, percentile
from argos_cli.report.orders import RunFold

FINISH_S = 60.0
LAST_S = 10.0
"""For what is under way when the load ends; refused signals, that nothing follows, do not come."""
OK = 200


@dataclass(slots=True)
class Ledger:
    """Follows the log from an entry on and knows which signals are finished."""

    run: RunFold = field(default_factory=RunFold)
    open: dict[str, None] = field(default_factory=dict)
    finished: int = 0
    last_ns: int = 0

    async def follow(self, log: NatsLog, after: int) -> None:
        async for item in follow(log, after):
            self.take(item)

    def take(self, item: Recorded) -> None:
        """One entry; a signal is finished when its verdict came to nothing, or all is reconciled."""
        self.run.take(item)
        event = item.event
        if isinstance(event, SignalAccepted):
            self.open[event.signal_id] = None
            return
        for cause in self._causes(event):
            if cause in self.open and self._is_finished(cause):
                del self.open[cause]
                self.finished += 1
                self.last_ns = item.entry.appended_ns

    def _causes(self, event: object) -> Sequence[str]:
        cause = getattr(event, "cause_id", None)
        if isinstance(cause, str):
            return (cause,)
        row = self.run.orders.get(getattr(event, "order_id", "") or "")
        return (row.claim.cause_id,) if row is not None else ()

    def _is_finished(self, cause: str) -> bool:
        legs = self.run.legs(cause)
        if not legs:
            return cause in self.run.accounts_of
        rows = self.run.orders_of(cause)
        for account, leg in legs:
            mine = [r for r in rows if (r.claim.account, r.claim.leg) == (account, leg.leg)]
            declined = (cause, account) in self.run.declined
            if not declined and (not mine or not all(r.match or r.refused for r in mine)):
                return False
        return True


@dataclass(slots=True)
class Credits:
    """Says which signals are reconciled, from as few entries as possible: claims and matches.

    The machine that is measured makes the load and reads the log, too; nothing that only a
    measurement needs should take its time.
    """

    tell: Callable[[str], None]
    causes: dict[str, str] = field(default_factory=dict)
    told: dict[str, None] = field(default_factory=dict)

    async def follow(self, log: NatsLog, after: int) -> None:
        claims, matches = f"{PREFIX}order.*.*.1", f"{PREFIX}reconcile.*.match.*"
        async with aclosing(log.read(after, (claims, matches))) as entries:
            async for entry in entries:
                if not entry.subject.startswith(f"{PREFIX}order."):
                    self._done(self.causes.pop(entry.subject.rpartition(".")[2], ""))
                    continue
                event = decode(entry.data)
                if isinstance(event, OrderSubmitting):
                    self.causes[event.order_id] = event.cause_id
                elif isinstance(event, OrderDeclined):
                    self._done(event.cause_id)

    def _done(self, cause: str) -> None:
        if cause and cause not in self.told:
            self.told[cause] = None
            self.tell(cause)

    def has_all(self, sent: Sequence[Answered]) -> bool:
        return all(each.key in self.told for each in sent if each.status == OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured: a running fleet and its log."""

    fleet: EmbeddedFleet
    log: NatsLog
    lanes: tuple[dict[str, Any], ...]
    folder: Path
    clock: Clock

    def plan(self, name: str, seconds: float, rate: float) -> LoadPlan:
        url = urlsplit(self.fleet.webhook_url(SOURCE))
        return LoadPlan(
            port=url.port or 80,
            path=url.path,
            out=str(self.folder / f"load-{name}.txt"),
            name=name,
            seconds=seconds,
            rate=rate,
            lanes=self.lanes,
        )


async def at_rate(subject: Subject, name: str, rate: float, seconds: float) -> dict[str, Any]:
    """Post at a rate, wait until everything is reconciled, and work out the hops."""
    after = (await subject.log.status()).last_sequence
    plan = subject.plan(name, seconds, rate)
    process = await load_process(plan, subject.folder)
    await process.wait()
    sent = answers(Path(plan.out))
    ledger, _ = await _finished(subject, after, sent)
    return _result(ledger, sent) | {"rate": rate}


async def sustained(
    subject: Subject, seconds: float, used: Callable[[], Mapping[str, float]]
) -> dict[str, Any]:
    """Every lane posts again as soon as its last alert is reconciled; signals per second.

    `used`: seconds of CPU per process so far. What became of each signal is read from the log when
    all is over; meanwhile only as much of it as says which lane goes on.
    """
    after = (await subject.log.status()).last_sequence
    plan = subject.plan("burst", seconds, 0.0)
    before = used()
    process = await load_process(plan, subject.folder)
    stdin = process.stdin
    assert stdin is not None  # noqa: S101  # asked for

    def reconciled(cause: str) -> None:
        if process.returncode is None:
            stdin.write(f"{cause}\n".encode())

    credits_given = Credits(tell=reconciled)
    following = asyncio.create_task(credits_given.follow(subject.log, after))
    try:
        await process.wait()
        sent = answers(Path(plan.out))
        await _until(lambda: credits_given.has_all(sent), subject.clock, LAST_S)
        spent = {name: now - before[name] for name, now in used().items()}
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    ledger, _ = await _finished(subject, after, sent)
    result = _result(ledger, sent)
    first_ns = min((each.sent_ns for each in sent), default=0)
    span_s = max(1, ledger.last_ns - first_ns) / NS_PER_S
    signals = max(1, result["finished"])
    return result | {
        "window": len(subject.lanes),
        "seconds": round(span_s, 2),
        "signals_per_second": round(result["finished"] / span_s, 1),
        "cpu_ms_per_signal": {n: round(s * 1000 / signals, 2) for n, s in spent.items()},
    }


async def _finished(subject: Subject, after: int, sent: list[Answered]) -> tuple[Ledger, bool]:
    ledger = Ledger()
    following = asyncio.create_task(ledger.follow(subject.log, after))
    try:
        done = await _until(lambda: _missing(ledger, sent) == 0, subject.clock)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return ledger, done


async def _until(condition: Callable[[], bool], clock: Clock, for_s: float = FINISH_S) -> bool:
    waited_s = 0.0
    while not condition():
        if waited_s > for_s:
            return False
        await clock.sleep(0.1)
        waited_s += 0.1
    return True


def _missing(ledger: Ledger, sent: list[Answered]) -> int:
    """How many alerts that were answered 200 are not finished."""
    return sum(
        1
        for each in sent
        if each.status == OK
        and (SignalId(each.key) not in ledger.run.signals or each.key in ledger.open)
    )


def _result(ledger: Ledger, sent: list[Answered]) -> dict[str, Any]:
    called, matched = [], []
    per_hop: dict[str, list[float]] = {}
    for row in ledger.run.orders.values():
        known = moments(ledger.run, row)
        if RECEIVED in known and CALLED in known:
            called.append((known[CALLED] - known[RECEIVED]) / 1e6)
        if RECEIVED in known and MATCHED in known:
            matched.append((known[MATCHED] - known[RECEIVED]) / 1e6)
        for hop in hops(ledger.run, row)[1:]:
            per_hop.setdefault(hop.name, []).append(hop.ms)
    took = [each.ms for each in sent if each.status == OK]
    declined = len(ledger.run.declined)
    refused = sum(1 for v, _ in ledger.run.verdicts.values() if not v.legs)
    return {
        "sent": len(sent),
        "answered_200": len(took),
        "not_answered_200": len(sent) - len(took),
        "finished": ledger.finished,
        "lost": _missing(ledger, sent),
        "orders": len(ledger.run.orders),
        "reconciled_orders": sum(1 for r in ledger.run.orders.values() if r.match),
        "refused_by_risk": refused,
        "declined": declined,
        "declined_why": dict(Counter(each.code for each in ledger.run.declined.values())),
        "in_doubt": sum(1 for r in ledger.run.orders.values() if r.doubt),
        "discrepancies": ledger.run.discrepancies_seen,
        "answer_ms": quantiles(took),
        "to_call_ms": quantiles(called),
        "to_reconciled_ms": quantiles(matched),
        "hops_ms": {name: quantiles(values) for name, values in per_hop.items()},
    }


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99, rounded to microseconds."""
    return {f"p{p}": round(percentile(values, p), 3) for p in (50, 90, 99)}
