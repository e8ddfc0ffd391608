"""One cycle: alerts flow, the adversary strikes, the fleet heals by itself, the checker decides."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from argos_common.domain.times import NS_PER_S

from argos_cli.chaos.adversary import WINDOW_MS, Schedule
from argos_cli.chaos.arena import Arena
from argos_cli.chaos.checker.decide import ENDED, OK, check
from argos_cli.chaos.checker.records import Evidence, Finding, Kill
from argos_cli.chaos.fleet_file import STREAMS
from argos_cli.chaos.strikes import Strikes
from argos_cli.chaos.traffic import Notes, Traffic
from argos_cli.chaos.witness import SIGNALS_MAX, Witness

HEAL_S = 60.0
LOOK_S = 0.2
QUIET_S = 1.5
"""Green counts once the log has had no new entry for so long: a refused attempt may be followed by
another, and the longest pause before one (but for a venue's own refusals) is a second."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a cycle went. `heal_s`: from the last strike's end until green; None: it did not heal.

    `state`: what was still wrong then. `struck`: faults fired, by name.
    """

    schedule: Schedule
    alerts: int = 0
    signals: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    orders: int = 0
    exits_in_kill: int = 0
    refused: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    heal_s: float | None = None
    took_s: float = 0.0
    state: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return self.heal_s is not None and not self.findings


@dataclass(slots=True)
class Run:
    """What lasts over the cycles on one fleet."""

    arena: Arena
    notes: Notes
    traffic: Traffic
    witness: Witness
    kills: list[Kill] = field(default_factory=list)
    evidence: Evidence | None = None
    told: set[Finding] = field(default_factory=set)
    status: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, arena: Arena) -> Run:
        """Nothing sent, nothing seen."""
        notes = Notes()
        traffic = Traffic(clock=arena.clock, notes=notes, url=arena.webhook_url)
        return cls(arena=arena, notes=notes, traffic=traffic, witness=Witness(arena))


async def play_cycle(run: Run, schedule: Schedule) -> Outcome:
    """Strike, heal, check."""
    clock = run.arena.clock
    outcome = Outcome(schedule=schedule)
    begun_ns = clock.monotonic_ns()
    before = len(run.notes.alerts), len(run.notes.answers)
    strikes = Strikes(run.arena, kills=run.kills)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        flowing = group.create_task(run.traffic.run(schedule.seed, schedule.habits, stop))
        await asyncio.gather(strikes.play(schedule.strikes), clock.sleep(WINDOW_MS / 1000))
        stop.set()
        healing_ns = clock.monotonic_ns()
        green_ns = await _until_healed(run, strikes, outcome, before[0])
        if green_ns is None:
            flowing.cancel()  # whoever was never answered would keep its lane waiting
        else:
            outcome.heal_s = (green_ns - healing_ns) / NS_PER_S
    await _decide(run, strikes, outcome)
    _count(run, outcome, before)
    outcome.notes = tuple(strikes.notes)
    outcome.took_s = (clock.monotonic_ns() - begun_ns) / NS_PER_S
    return outcome


def _count(run: Run, outcome: Outcome, before: tuple[int, int]) -> None:
    """What happened in this cycle, as numbers; habits of the senders are counted by alert."""
    outcome.alerts = len(run.notes.alerts) - before[0]
    answers = run.notes.answers[before[1] :]
    outcome.answers = Counter(answer.status for answer in answers)
    signals = {each.signal_id for each in answers if each.same and each.status == OK}
    outcome.signals = len(signals)
    outcome.refused = sum(
        verdict.decision == "refused"
        for signal in signals
        for verdict in run.witness.verdicts.get(signal, ())
    )
    outcome.struck = Counter(strike.fault for strike in outcome.schedule.strikes)
    outcome.struck["resend"] += len({each.key for each in answers if each.word == "duplicate"})
    outcome.struck["conflict"] += len({each.key for each in answers if not each.same})


async def _until_healed(run: Run, strikes: Strikes, outcome: Outcome, first: int) -> int | None:
    """Since when all is green, quiet, and nothing is owed; what is wrong goes to `outcome.state`."""
    clock = run.arena.clock
    until_ns = clock.monotonic_ns() + int(HEAL_S * NS_PER_S)
    green_ns, sequence = 0, -1
    while (now_ns := clock.monotonic_ns()) < until_ns:
        try:
            outcome.state = await _wrong(run, strikes, first)
        except (OSError, TimeoutError, ValueError) as error:
            outcome.state = f"the monitor cannot be asked ({error!r})"
        last = run.status.get("log", {}).get("last_sequence", 0)
        if outcome.state or last != sequence:
            green_ns, sequence = now_ns, last
        elif now_ns - green_ns >= QUIET_S * NS_PER_S:
            return green_ns
        await clock.sleep(LOOK_S)
    outcome.state = outcome.state or "the log does not come to rest"
    return None


async def _wrong(run: Run, strikes: Strikes, first: int) -> str:
    """What keeps the fleet from being green, in words; empty if nothing does."""
    alerts = run.notes.alerts[first:]
    waiting = [alert.key for alert in alerts if alert.key not in run.notes.answered]
    if waiting:
        return f"alerts without an answer: {', '.join(waiting)}"
    status = run.status = await run.witness.status()
    kill = status.get("kill") or {}
    if kill.get("engaged"):
        # A kill that could not be confirmed was put on record after all: an operator lets go.
        await strikes.risk_release("")
        for account in kill.get("accounts", ()):
            await strikes.risk_release(account)
        return "a kill is engaged that nobody wants any more"
    wrong = _not_green(status)
    if wrong:
        return wrong
    await run.witness.look(2 * len(alerts) + 20)
    return _owed(run, first)


def _not_green(status: dict[str, Any]) -> str:
    if not status.get("healthy") or status.get("message") != "Fleet running normally":
        return f"status {status.get('status')}: {status.get('message')}"
    for account in status["accounts"]:
        if not account["venue"]["ready"]:
            return f"{account['account']}: {account['venue']['reason'] or 'the venue is not ready'}"
        if account["in_doubt"] or account["discrepancies"]:
            return f"{account['account']}: in doubt or with discrepancies"
    return ""


def _owed(run: Run, first: int) -> str:
    """What was acknowledged in this cycle and has no end yet."""
    keys = {alert.key: alert for alert in run.notes.alerts[first:]}
    lanes = {stream.lane.name: stream.lane for stream in STREAMS}
    by_cause: dict[tuple[str, str], list[str]] = {}
    for orders in run.witness.orders.values():
        for order in orders:
            by_cause.setdefault((order.cause_id, order.account), []).append(order.state)
            if order.state not in ENDED:
                return f"order {order.order_id} on {order.account} is {order.state}"
    for answer in run.notes.answers:
        if answer.status != OK or answer.key not in keys:
            continue
        verdicts = {v.account: v for v in run.witness.verdicts.get(answer.signal_id, ())}
        for account in lanes[keys[answer.key].lane].accounts:
            verdict = verdicts.get(account)
            if verdict is None:
                return f"signal {answer.signal_id} has no verdict on {account}"
            states = by_cause.get((answer.signal_id, account), [])
            if verdict.decision != "refused" and not states:
                return f"signal {answer.signal_id} has no order on {account}"
    return ""


async def _decide(run: Run, strikes: Strikes, outcome: Outcome) -> None:
    """Let the checker look at everything so far; only what it had not said before counts here."""
    found: list[Finding] = []
    if outcome.heal_s is None:
        found.append(
            Finding("not-healed", "fleet", f"not green after {HEAL_S:g} s: {outcome.state}")
        )
    found += [
        Finding("left-behind", name, f"{name} outlived its supervisor and the next one's start")
        for name in strikes.left_behind
    ]
    before = run.evidence
    try:
        if outcome.heal_s is None:
            await run.witness.look(SIGNALS_MAX)
        run.evidence = await run.witness.evidence(run.notes, run.kills)
    except (OSError, TimeoutError, ValueError) as error:
        found.append(Finding("unseen", "fleet", f"the outside could not be read: {error}"))
    else:
        found += check(run.evidence)
        outcome.orders = len(run.evidence.orders) - (len(before.orders) if before else 0)
        outcome.exits_in_kill = _exits_in_kill(run.evidence)
        outcome.exits_in_kill -= _exits_in_kill(before) if before else 0
    outcome.findings = tuple(finding for finding in found if finding not in run.told)
    run.told.update(found)


def _exits_in_kill(evidence: Evidence) -> int:
    """Deals that took risk away while a kill stood."""
    return sum(
        any(
            deal.account in kill.accounts
            and kill.replied_ns < deal.received_ns
            and (not kill.released_ns or deal.received_ns < kill.released_ns)
            for kill in evidence.kills
        )
        for deal in evidence.deals
        if deal.ours and not deal.opens
    )
