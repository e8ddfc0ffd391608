"""One performance: start a fleet, play the story, reckon, write the report, stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import DealReason, DealRecorded
from argos_common.runtime.clock import Clock
from argos_monitor.core.words import sentence

from argos_cli.audit.tone import tone, worth_showing
from argos_cli.client.history import Recorded
from argos_cli.client.ledger import check_ledger
from argos_cli.demo.play import Player
from argos_cli.demo.reckoning import Evidence, document, opening_hops, promises, zeros
from argos_cli.demo.screen import Screen
from argos_cli.demo.stage import Stage, open_stage
from argos_cli.demo.story import HEDGE, STORY
from argos_cli.demo.summary import print_summary, signal_lines
from argos_cli.demo.watch import TooLate
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.output import clock_text
from argos_cli.report.folder import write_run, write_stats
from argos_cli.report.trades import trade_lines
from argos_cli.report.view import View, match_lines

AT_REST_S = 15.0
SHOWN_TRADE = "two accounts"


async def perform(config: Path, folder: Path, screen: Screen, clock: Clock) -> View:
    started_ns = clock.now_ns()
    fleet = EmbeddedFleet(
        config,
        folder / "state",
        ports={"gateway": 0, "monitor": 0},
        say=lambda text: screen.say(text, "dim"),
        clock=clock,
    )
    with _ends_on_sigterm():
        async with fleet:
            screen.say(f"the fleet is ready: {len(fleet.names)} processes", "good")
            view = await _played(fleet, folder, screen, clock, started_ns)
            screen.say("stopping the fleet", "dim")
    whole = (clock.now_ns() - started_ns) / NS_PER_S
    view.document["seconds"] = round(whole, 1)
    write_stats(folder, view.document)
    print_summary(screen, view, folder)
    return view


async def _played(
    fleet: EmbeddedFleet, folder: Path, screen: Screen, clock: Clock, started_ns: int
) -> View:
    async with open_stage(fleet, clock, lambda item: _show(screen, item)) as stage:
        player = Player(stage, screen)
        await player.play(STORY)
        await _at_rest(stage, screen)
        evidence = Evidence(
            items=stage.watch.items,
            run=stage.watch.run,
            sent=stage.sent,
            record=await stage.witness.record(),
            results=player.results,
            kill=player.kill,
            routes=_routes(fleet),
            ledger=await check_ledger(stage.opened),
        )
        seconds = (clock.now_ns() - started_ns) / NS_PER_S
        shown = player.played.signal_ids.get(SHOWN_TRADE, "")
        view = View(
            title=f"Argos demo, run {folder.name}",
            started=clock_text(started_ns, with_day=True),
            seconds=seconds,
            promises=promises(evidence),
            signals=signal_lines(player.results, evidence.run),
            trades=trade_lines(evidence.run),
            matches=match_lines(evidence.run),
            zeros=zeros(evidence),
            hops=opening_hops(evidence.run, shown, HEDGE),
            hops_of=f"The first entry on {HEDGE}, from the alert to reconciled: trade {shown}",
            prices=stage.prices,
            document=document(evidence, run_id=folder.name, folder=str(folder), seconds=seconds),
        )
        write_run(folder, view, stage.watch.items)
    return view


async def _at_rest(stage: Stage, screen: Screen) -> None:
    """Wait until every order is over and reconciled and no discrepancy is open."""
    watch = stage.watch

    def unrest() -> str:
        rows = watch.run.orders.values()
        waiting = [r.claim.order_id for r in rows if r.has_fill and not r.match]
        waiting += [r.claim.order_id for r in rows if not (r.fill or r.refused or r.absent)]
        return ", ".join([*waiting, *watch.run.discrepancies])

    try:
        await watch.reach_end()
        await watch.until(lambda: not unrest(), AT_REST_S, unrest)
    except TooLate as error:
        screen.say(f"not at rest: {error}", "error")  # the reckoning will name it


def _routes(fleet: EmbeddedFleet) -> dict[str, tuple[str, ...]]:
    known: Any = fleet.fleet.strategies if fleet.fleet is not None else {}
    return {name: strategy.accounts for name, strategy in known.items()}


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: the fleet is stopped first."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    assert task is not None  # noqa: S101  # called within a coroutine
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _show(screen: Screen, item: Recorded) -> None:
    """One line for what a person wants to see of the log as it grows."""
    event = item.event
    by_venue = isinstance(event, DealRecorded) and event.deal.reason is not DealReason.OURS
    if event is not None and (by_venue or worth_showing(event)):
        screen.detail(sentence(event), tone(event))
