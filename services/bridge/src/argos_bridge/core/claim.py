"""Which approved leg of an account wants an order now.

Exits come before entries; within each, verdicts are taken in the order of the log. At most one
step is given at a time: it is decided on a state that the log may have left behind, so the
condition of its append is what makes it hold.
"""

from __future__ import annotations

from itertools import islice

from argos_bridge.core.entry import entry_step
from argos_bridge.core.leave import exit_step
from argos_bridge.core.state import AccountState
from argos_bridge.core.step import Decline, Moment, Ready, Step, Wait, submit

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
                    return step
                case Ready():
                    if may_submit:
                        return submit(state, step, moment)
                case Wait():
                    if step.until_ns is not None:
                        until_ns = min(until_ns or step.until_ns, step.until_ns)
    return Wait(until_ns=until_ns, why="nothing to do")
