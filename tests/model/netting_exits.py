"""Two exits of one position on a netting account: an opposite order too many turns it around.

On a netting or spot account an exit is an ordinary opposite order, so its quantity is everything:
it is what the claiming bridge's own fold says is held. The state here is the log itself and how far
each of two bridges has folded it. Each rule, and its module:

    A claim takes its turn in one batch, on the head of `turn.<account>`  bridge/runner/claims.py, ADR 8
    No exit while an order of the trade has no known outcome              bridge/core/leave.py (2)
    No exit while deals are owed for what an order is known to have done  bridge/core/leave.py (2)
    What is held comes from deals, never from answers                     bridge/core/leave.py (1)
    The rest of a part-filled exit, or a refused one, is tried again      bridge/core/retry.py
    An attempt's claim carries a once-only id                             bridge/runner/claims.py
    Nothing held and nothing to come: the leg is declined                 bridge/core/leave.py (4)

The trade holds two units. Each order is executed at most once (that is what `one_order` is about):
whole, in part and then cancelled, refused, or never, and its answer and its deal come on record in
any order, after any time in doubt. An append may land long after it was asked for, or be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model.explore import LIVENESS, Case, Machine

INVARIANTS = {
    21: "Exits never turn a position to the other side.",
    22: "An attempt at an exit is claimed at most once.",
    LIVENESS: "From every state the position can still be closed, or every exit ended.",
}
HELD = 2
LEGS = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The safeguards, each of which can be taken away."""

    attempts: int = 2
    """Of each exit; and no more than one order more than this together."""
    turn: bool = True
    one_batch: bool = True
    """The turn is stored together with the claim, not before it."""
    outcomes_first: bool = True
    deals_first: bool = True
    once: bool = True


class Order(NamedTuple):
    """One claimed exit. `done`: what the venue made of it; -1 until it has, 0 nothing."""

    leg: int
    attempt: int
    quantity: int
    done: int = -1


class Ask(NamedTuple):
    """A claim at the log's door. `head`: how many turns its writer had folded."""

    leg: int
    attempt: int
    quantity: int
    head: int


class Bridge(NamedTuple):
    folded: int = 0
    ask: Ask | None = None
    turn: Ask | None = None
    """A claim whose turn is on record already, if the two are not one batch."""


class State(NamedTuple):
    log: tuple[tuple[str, int], ...] = ()
    """(claim|outcome|deal, number of the order), or (turn, 0)."""
    orders: tuple[Order, ...] = ()
    bridges: tuple[Bridge, Bridge] = (Bridge(), Bridge())

    @property
    def position(self) -> int:
        return HELD - sum(max(order.done, 0) for order in self.orders)


Moves = Iterator[tuple[str, State]]


def machine(rules: Rules) -> Machine[State]:
    def moves(state: State) -> Moves:
        for after in (*_bridges(state, rules), *_venue(state), *_record(state)):
            yield after[0], _canonical(after[1])

    def over(state: State) -> bool:
        idle = all(b.ask is None and b.turn is None for b in state.bridges)
        return idle and (state.position <= 0 or not _left(state, rules))

    return Machine(State(), moves, _broken, over)


def _broken(state: State) -> int:
    if state.position < 0:
        return 21
    claimed = [(order.leg, order.attempt) for order in state.orders]
    return 22 if len(set(claimed)) < len(claimed) else 0


def _left(state: State, rules: Rules) -> bool:
    """Whether an exit may still be tried, or one is under way."""
    tried = len(state.orders) > rules.attempts
    used = [sum(order.leg == leg for order in state.orders) for leg in LEGS]
    going = any(order.done < 0 for order in state.orders)
    return going or (not tried and min(used) < rules.attempts)


def _canonical(state: State) -> State:
    """The exits are interchangeable, and so are the bridges."""
    if state.orders and state.orders[0].leg == 1:
        orders = tuple(order._replace(leg=1 - order.leg) for order in state.orders)
        bridges = [
            b._replace(
                ask=b.ask and b.ask._replace(leg=1 - b.ask.leg),
                turn=b.turn and b.turn._replace(leg=1 - b.turn.leg),
            )
            for b in state.bridges
        ]
        state = state._replace(orders=orders, bridges=(bridges[0], bridges[1]))
    one, two = state.bridges
    key = (one.folded, one.ask or (), one.turn or ())
    other = (two.folded, two.ask or (), two.turn or ())
    return state if key <= other else state._replace(bridges=(two, one))


# Bridges: fold, claim, and what the log answers.


def _bridges(state: State, rules: Rules) -> Moves:
    for index, bridge in enumerate(state.bridges):
        if bridge.folded < len(state.log):
            kind, number = state.log[bridge.folded]
            folded = bridge._replace(folded=bridge.folded + 1)
            yield f"folds {kind} {number}", _with(state, index, folded)
        if bridge.ask is None and bridge.turn is None:
            for leg in LEGS:
                ask = _wanted(state, bridge, leg, rules)
                if ask is not None:
                    name = f"asks to close {ask.quantity} by leg {leg}"
                    yield name, _with(state, index, bridge._replace(ask=ask))
        if bridge.ask is not None:
            yield "the append is lost", _with(state, index, bridge._replace(ask=None))
            yield _stored(state, index, bridge.ask, rules)
        if bridge.turn is not None:
            yield _claimed(state, index, bridge.turn, rules)


def _with(state: State, index: int, bridge: Bridge) -> State:
    one, two = state.bridges
    return state._replace(bridges=(bridge, two) if index == 0 else (one, bridge))


def _wanted(state: State, bridge: Bridge, leg: int, rules: Rules) -> Ask | None:
    """What the bridge would claim for the leg, by what it has folded (`exit_step`)."""
    seen = state.log[: bridge.folded]
    claimed = [number for kind, number in seen if kind == "claim"]
    known = {number for kind, number in seen if kind == "outcome"}
    dealt = {number for kind, number in seen if kind == "deal"}
    own = [number for number in claimed if state.orders[number].leg == leg]
    used_up = len(own) == rules.attempts or len(claimed) > rules.attempts
    if used_up or any(number not in known for number in own):
        return None
    if rules.outcomes_first and any(number not in known for number in claimed):
        return None
    owed = [n for n in known if state.orders[n].done > 0 and n not in dealt]
    if rules.deals_first and owed:
        return None
    held = HELD - sum(state.orders[number].done for number in dealt)
    turns = sum(kind in ("turn", "claim") for kind, _ in seen)
    return Ask(leg, len(own), held, turns) if held > 0 else None


def _stored(state: State, index: int, ask: Ask, rules: Rules) -> tuple[str, State]:
    bridge = state.bridges[index]._replace(ask=None)
    turns = sum(kind in ("turn", "claim") for kind, _ in state.log)
    if rules.turn and ask.head != turns:
        return "stale: another had its turn", _with(state, index, bridge)
    if rules.turn and not rules.one_batch:
        taken = state._replace(log=(*state.log, ("turn", 0)))
        return "takes its turn", _with(taken, index, bridge._replace(turn=ask))
    return _claimed(_with(state, index, bridge), index, ask, rules)


def _claimed(state: State, index: int, ask: Ask, rules: Rules) -> tuple[str, State]:
    state = _with(state, index, state.bridges[index]._replace(turn=None))
    taken = [(order.leg, order.attempt) for order in state.orders]
    if rules.once and (ask.leg, ask.attempt) in taken:
        return "exists", state
    order = Order(ask.leg, ask.attempt, ask.quantity)
    log = (*state.log, ("claim", len(state.orders)))
    return f"claimed: leg {ask.leg}", state._replace(log=log, orders=(*state.orders, order))


# The venue, and what comes on record of it.


def _venue(state: State) -> Moves:
    for number, order in enumerate(state.orders):
        if order.done < 0:
            for filled in range(order.quantity + 1):
                done = (
                    *state.orders[:number],
                    order._replace(done=filled),
                    *state.orders[number + 1 :],
                )
                yield f"venue fills {filled} of order {number}", state._replace(orders=done)


def _record(state: State) -> Moves:
    """An outcome is only ever recorded as it was: by the answer or, after doubt, by evidence."""
    for number, order in enumerate(state.orders):
        if order.done < 0:
            continue
        for kind in ("outcome", "deal"):
            if (kind, number) not in state.log and (kind == "outcome" or order.done > 0):
                yield f"{kind} {number} on record", state._replace(log=(*state.log, (kind, number)))


def _case(name: str, breaks: int, **rules: Any) -> Case[State]:
    return Case(name=name, machine=machine(Rules(**rules)), breaks=breaks, liveness=not breaks)


CASES: tuple[Case[State], ...] = (
    _case("two exits, one attempt each", 0, attempts=1),
    _case("two exits, two attempts each", 0),
    _case("without the turn", 21, turn=False),
    _case("the turn taken before the claim, not with it", 21, one_batch=False),
    _case("exits that do not wait for outcomes", 21, outcomes_first=False),
    _case("exits that do not wait for deals", 21, deals_first=False),
    _case("without turn and once-only id", 22, turn=False, once=False),
)
