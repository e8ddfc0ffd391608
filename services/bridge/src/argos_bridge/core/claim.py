"""Which approved leg of an account wants an order now.

Exits come before entries; within each, verdicts are taken in the order of the log. At most one
step is given at a time: it is decided on a state that the log may have left behind, so the
condition of its append is what makes it hold.

A leg whose next order is on record as something that cannot be read is held: the order may be at
the venue, so the leg is neither claimed again nor declined. The dead letter is what tells a person.
"""

from __future__ import annotations

from itertools import islice

from argos_bridge.core.entry import entry_step
from argos_bridge.core.leave import exit_step
from argos_bridge.core.state import AccountState
from argos_bridge.core.step import Decline, Moment, Ready, Step, Wait, order_id, submit

LOOK_AHEAD = 8


def next_step(state: AccountState, moment: Moment, *, may_submit: bool) -> Step:
    """The first thing to be done now, or how long to wait if nothing is folded meanwhile.

    `may_submit` False: a submission of this bridge is under way, whose end is a reason to look
    again; meanwhile only declines are given, and only of the first few legs.
    """
    until_ns: int | None = None
    for pending, decide in ((state.closing, exit_step), (state.opening, entry_step)):
        for key in pending if may_submit else islice(pending, LOOK_AHEAD):
            found = state.leg(key)
            if found is None:
                continue
            step = decide(state, *found, moment)
            match step:
                case Decline():
                    if step.event.order_id not in state.unreadable:
                        return step
                case Ready():
                    if may_submit and not _held(state, step):
                        return submit(state, step, moment)
                case Wait():
                    if step.until_ns is not None:
                        until_ns = min(until_ns or step.until_ns, step.until_ns)
    return Wait(until_ns=until_ns, why="nothing to do")


def _held(state: AccountState, ready: Ready) -> bool:
    # Asked in this order because an id costs a hash, and there is hardly ever one that is held.
    return bool(state.unreadable) and order_id(state, ready.view, ready.place) in state.unreadable
