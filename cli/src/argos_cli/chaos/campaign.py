"""Cycle after cycle on one fleet; after a cycle that failed, on a fresh one."""

from __future__ import annotations

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from argos_cli.chaos import small_disk
from argos_cli.chaos.adversary import Schedule, draw
from argos_cli.chaos.arena import open_arena
from argos_cli.chaos.cycle import Outcome, Run, play_cycle
from argos_cli.chaos.report import Campaign, keep_evidence, replay_command
from argos_cli.demo.screen import Screen


async def campaign(planned: Campaign, folder: Path, screen: Screen, clock: Clock) -> Campaign:
    """Run what is planned; evidence of failed cycles and nothing else stays in the folder."""
    begun_ns = clock.monotonic_ns()
    seeds = range(planned.seed, planned.seed + planned.asked)
    schedules = [draw(seed, planned.faults) for seed in seeds]
    small_disks = any(name.startswith("full-") for name in planned.faults)
    progress = Progress(
        TextColumn("chaos"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), console=screen.console, transient=True,
    )  # fmt: skip
    fleets = 0
    with progress:
        task = progress.add_task("starting a fleet", total=planned.asked)
        while len(planned.outcomes) < planned.asked:
            fleets += 1
            home = folder / f"fleet-{fleets}"
            try:
                async with AsyncExitStack() as stack:
                    arena = await stack.enter_async_context(
                        open_arena(home, clock, small_disks=small_disks)
                    )
                    run = Run.begin(arena)
                    held = True
                    while held and len(planned.outcomes) < planned.asked:
                        schedule = schedules[len(planned.outcomes)]
                        words = ", ".join(strike.words for strike in schedule.strikes) or "calm"
                        progress.update(task, description=f"seed {schedule.seed}: {words}")
                        outcome = await play_cycle(run, schedule)
                        planned.outcomes.append(outcome)
                        progress.advance(task)
                        held = outcome.held
                        _tell(screen, planned, outcome)
                        if not held:
                            kept = folder / f"cycle-{len(planned.outcomes)}-seed-{schedule.seed}"
                            await keep_evidence(run, outcome, kept)
                            screen.detail(f"evidence: {kept}", "warn")
                        planned.took_s = (clock.monotonic_ns() - begun_ns) / NS_PER_S
            finally:
                _drop(home, small_disks=small_disks)
    return planned


def _tell(screen: Screen, planned: Campaign, outcome: Outcome) -> None:
    """One line per cycle, more if it failed."""
    schedule: Schedule = outcome.schedule
    words = ", ".join(strike.words for strike in schedule.strikes) or "calm"
    healed = "did NOT heal" if outcome.heal_s is None else f"green after {outcome.heal_s:.1f} s"
    number = len(planned.outcomes)
    screen.say(
        f"{number}/{planned.asked} seed {schedule.seed}: {outcome.signals} signals,"
        f" {outcome.orders} orders, {healed}  ({words})",
        "" if outcome.held else "error",
    )
    for note in outcome.notes:
        screen.detail(note, "dim")
    for finding in outcome.findings:
        screen.detail(f"{finding.code}: {finding.sentence}", "error")
    if not outcome.held:
        screen.detail(f"again: {replay_command(schedule.seed, planned.faults)}", "warn")


def _drop(home: Path, *, small_disks: bool) -> None:
    if small_disks:
        for name in ("nats", "ledger"):
            small_disk.unmount(home / "state" / name)
    shutil.rmtree(home, ignore_errors=True)
