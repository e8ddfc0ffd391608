"""What the monitor must know and have told once nothing is under way.

The log is folded again by the monitor's own fold, as after a restart. What is wrong by that stands
told on record, nothing else does, and what happened once is on record too.
"""

from __future__ import annotations

from argos_monitor.core.conditions import conditions
from argos_monitor.core.desk import Desk
from argos_monitor.core.fleet_state import FleetState
from argos_monitor.runner import fold

from argos_simulation.world import World


def untold(world: World) -> str:
    """What a monitor has still to read or to tell, in a few words; empty if nothing."""
    end = len(world.store.entries)
    for name, monitor in world.monitors.items():
        if monitor.follower.sequence < end:
            return f"{name} has not read everything"
    return _untold(world, *_again(world))


def check_monitor(world: World) -> None:
    """16, 46."""
    court = world.witness.court
    state, desk = _again(world)
    for name, monitor in world.monitors.items():
        same = (monitor.state.accounts, monitor.state.today) == (state.accounts, state.today)
        court.check(16, f"{name} differs", holds=same)
    left = _untold(world, state, desk)
    court.check(46, left, holds=not left)


def _untold(world: World, state: FleetState, desk: Desk) -> str:
    for name, monitor in world.monitors.items():
        found, _ = conditions(state, monitor.beats, monitor.log_view, {}, monitor.clock.now_ns())
        wrong = {each.prefix for each in found}
        if wrong != desk.open.keys():
            return f"{name}: {sorted(wrong)} is wrong, {sorted(desk.open)} is told"
    return f"never told: {', '.join(state.notices)}" if state.notices else ""


def _again(world: World) -> tuple[FleetState, Desk]:
    """The log as a monitor reads it that has just started."""
    state, desk = FleetState(), Desk()
    for entry, event in world.witness.events:
        if event is None:
            state.dead_letter(entry.sequence, entry.appended_ns, entry.subject, "")
        else:
            fold(state, desk, entry, event)
    return state, desk
