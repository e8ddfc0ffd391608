"""One seed, whole: a drawn world with drawn faults, which heal, until everything is at rest."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from unittest.mock import patch

from argos_common.wire import codec

from argos_simulation.chance import Chance
from argos_simulation.cut import WHOLE, Cut
from argos_simulation.days import HAPPENINGS, BadDays
from argos_simulation.faults import NAMES, Faults, draw
from argos_simulation.invariants import Violation
from argos_simulation.loop import VirtualLoop, sleep
from argos_simulation.mains import start_fleet
from argos_simulation.repeats import check_repeats
from argos_simulation.rest import check_at_rest, restless
from argos_simulation.size import ALERTS_MOST, DEFAULT_MINUTES
from argos_simulation.venues import arm, disarm
from argos_simulation.workload import Operator, Sender, alerts
from argos_simulation.world import World

REST_S = 400.0
LOOK_S = 1.0
STILL_LOOKS = 3

_decode = lru_cache(maxsize=1024)(codec.decode)
"""Six processes decode the same entry in one: once is enough, for an event never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one seed. `digest`: SHA-256 of log, broker's record and story.

    `alerts`: how many were drawn. `rest_s`: virtual seconds from healing to rest.
    """

    seed: int
    violations: tuple[Violation, ...]
    fired: Counter[str]
    evaluated: Counter[int]
    virtual_s: float
    rest_s: float
    alerts: int
    entries: int
    orders: int
    digest: str
    story: tuple[str, ...] = field(repr=False, default=())


def simulate(
    seed: int,
    *,
    allowed: Sequence[str] = NAMES,
    minutes: float = DEFAULT_MINUTES,
    alerts_most: int = ALERTS_MOST,
    story: bool = True,
    intensity: Mapping[str, float] | None = None,
    cut: Cut = WHOLE,
    until: Container[int] = (),
) -> Outcome:
    """Run one seed. The same seed, faults, minutes and `alerts_most` give the same bytes.

    `intensity`: exactly these faults, this strong, instead of a draw. `until`: invariants of which
    the first violation ends it; an ablation asks for no more. `cut` leaves out parts of what was drawn.
    """
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it speaks of tasks that were killed
    loop = VirtualLoop()
    gc.collect()
    gc.freeze()  # what lives longer than a seed is not looked through after each
    gc.disable()  # what is let go of must not depend on when memory runs short
    try:
        with patch.object(codec, "decode", _decode):
            return loop.run_until_complete(
                _simulate(
                    seed,
                    tuple(allowed),
                    minutes,
                    alerts_most,
                    intensity=intensity,
                    cut=cut,
                    story=story,
                    until=until,
                )
            )
    finally:
        _let_go(loop)


async def _simulate(
    seed: int,
    allowed: tuple[str, ...],
    minutes: float,
    alerts_most: int,
    *,
    intensity: Mapping[str, float] | None,
    cut: Cut,
    story: bool,
    until: Container[int],
) -> Outcome:
    chance = Chance(f"argos/{seed}")
    faults = draw(chance.fork("faults"), allowed)
    if intensity is not None:
        faults = Faults(dict(intensity))
    faults.kept = cut.firings
    world = World(seed, chance, faults)
    span_s = minutes * 60
    arm(
        world.broker,
        faults,
        world.true_clock.now_ns(),
        hang=chance.fork("hang").happens(0.5),
    )
    if faults.has("venue-late-deals"):
        world.paper_faults.lag_ns = 2_000_000_000
    start_fleet(world)
    operator, sender = Operator(world), Sender(world)
    days = BadDays(world, sender, operator)
    burst = faults.has("alert-burst") and faults.fire("alert-burst")
    planned = alerts(seed, chance.fork("alerts"), span_s, alerts_most, burst=burst)
    sent = [each for at, each in enumerate(planned) if cut.alerts is None or at in cut.alerts]
    work = [sender.send(alert) for alert in sent]
    work += [operator.run([alert.at_s for alert in planned]), operator.limits(span_s)]
    work += [days.run(name, span_s) for name in HAPPENINGS]
    going_on = [asyncio.ensure_future(each) for each in work]
    until_s = span_s if cut.until_s is None else cut.until_s
    while world.now_s() < until_s:
        await sleep(LOOK_S)
        world.look_after()
        if _reached(world, until):
            return _outcome(world, len(planned), until_s, keep_story=story)
    _heal(world, days)
    await _rest(world, going_on, until)
    for task in going_on:
        if task.done() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]  # a mistake of the simulation itself
    answered = all(task.done() for task in going_on)
    world.witness.court.check(12, "a sender or an operator still waits", holds=answered)
    check_at_rest(world)
    if not restless(world):
        await check_repeats(world)
    return _outcome(world, len(planned), until_s, keep_story=story)


def _heal(world: World, days: BadDays) -> None:
    world.tell("healed")
    world.faults.healed = True
    days.log_back()
    world.server.leaderless = False
    disarm(world.broker, world.true_clock.now_ns())
    world.paper_faults.lag_ns = 0
    world.paper_faults.lose_answers = world.paper_faults.lose_calls = 0
    for service in world.services.values():
        if service.host is not None:
            service.host.process.resume()
            service.host.mend()


def _reached(world: World, until: Container[int]) -> bool:
    return any(each.number in until for each in world.verdict.violations)


async def _rest(
    world: World, going_on: Iterable[asyncio.Future[None]], until: Container[int]
) -> None:
    """Until nothing is under way for a few looks, or for as long as is allowed."""
    still, until_s = 0, world.now_s() + REST_S
    while world.now_s() < until_s and still < STILL_LOOKS:
        await sleep(LOOK_S)
        world.look_after()
        quiet = all(task.done() for task in going_on) and not restless(world)
        still = still + 1 if quiet else 0
        if _reached(world, until):
            return


def _outcome(world: World, planned: int, healed_s: float, *, keep_story: bool) -> Outcome:
    digest = hashlib.sha256()
    for entry in world.store.entries:
        digest.update(f"{entry.sequence} {entry.subject} {entry.appended_ns} ".encode())
        digest.update(entry.data)
    for line in world.broker.record:
        digest.update(repr(line).encode())
    digest.update(repr(world.paper_store.load().trades).encode())
    digest.update(repr((world.faults.fired, world.verdict.evaluated, world.now_s())).encode())
    return Outcome(
        seed=world.seed,
        violations=tuple(world.verdict.violations),
        fired=world.faults.fired,
        evaluated=world.verdict.evaluated,
        virtual_s=world.now_s(),
        rest_s=max(0.0, world.now_s() - healed_s),
        alerts=planned,
        entries=len(world.store.entries),
        orders=len(world.witness.truth.claims),
        digest=digest.hexdigest(),
        story=world.story() if keep_story or world.verdict.violations else (),
    )


def _let_go(loop: VirtualLoop) -> None:
    """End every task that still waits; what they do in ending is nobody's business any more."""
    loop.set_exception_handler(lambda *_: None)
    loop.letting_go = True
    for _ in range(10):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        loop.run_until_complete(_settle(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    gc.enable()
    gc.collect()


async def _settle(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.wait(list(tasks), timeout=0)
