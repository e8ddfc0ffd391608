"""Two orders on one symbol: two attempts at one leg, or the entries of two legs.

What one order's claim can meet is in `one_order`; here a claim is one step at the log, and what
matters is what a second order may do while the first is not proven over. Each rule, and its module:

    Attempt n + 1 only after a refusal or an absence on record            bridge/core/retry.py
    Nothing while an attempt lives or is only presumed absent             bridge/core/entry.py (1)
    A leg ends without an order by a decline under the attempt's id       bridge/core/step.py, ADR 7
    A new leg waits while an order on its symbol has no known outcome     bridge/core/entry.py (3)
    So does the node, by what it knows itself                             lasthop/gates.py (4)
    Calls of one account go one after another                             lasthop/hop.py (3)
    A refusal is journalled; a known id is answered, never sent           lasthop/hop.py (1, 4)
    A seal says "never sent" only of what never was                       lasthop/hop.py (6)
    Presumed absent is watched, and only then absent                      bridge/core/doubt.py

Two bridges decide from the log alone. Claims of two legs name no common head, so both may be asked
for in the same moment: the node is where the second is held back. Losses cost nothing; a request
that comes twice and a restart of the node each cost one of `faults`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model.explore import LIVENESS, Case, Machine

INVARIANTS = {
    11: "The orders of one leg are executed at most once between them.",
    12: "A leg that was declined, or whose last order is dead, is not filled.",
    13: "No entry call begins while the outcome of another order on the symbol is unknown.",
    LIVENESS: "From every state an end of every leg stays reachable.",
}
ENDS = ("done", "refused", "absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The safeguards, each of which can be taken away."""

    legs: bool = False
    """The two orders are of two legs; else two attempts at one."""
    faults: int = 2
    attempts: bool = True
    """Another attempt waits for a refusal or an absence: not for doubt alone."""
    watched: bool = True
    """What is presumed absent is waited for, too, and watched first."""
    late_fills: bool = False
    """The venue may be slower than its settling time says."""
    refusals_kept: bool = True
    journal: bool = True
    honest_seal: bool = True
    shared_id: bool = True
    """A decline carries the once-only id of the attempt's claim."""
    bridge_waits: bool = True
    node_waits: bool = True


class Order(NamedTuple):
    asked: bool = False
    """A claim is on its way to the log; whoever asked may have given up since."""
    first: str = ""
    """"" claim decline: its first event."""
    out: str = ""
    sealed: str = ""
    """"" never sent settled."""
    requests: int = 0
    entry: str = ""
    """"" begun calling sending returned (sealed after it was sent) refused sealed answered."""
    calls: int = 0
    executed: int = 0
    answer: str = ""


class State(NamedTuple):
    orders: tuple[Order, Order] = (Order(), Order())
    late: bool = False
    faults: int = 2
    bad: frozenset[int] = frozenset()


Moves = Iterator[tuple[str, State]]


def machine(rules: Rules) -> Machine[State]:
    parts = (_log, _outcome, _node, _venue, _evidence)

    def moves(state: State) -> Moves:
        if not state.late:
            yield "deadline and grace pass", state._replace(late=True)
        for index in (0, 1):
            for part in parts:
                for name, after in part(state, index, rules):
                    yield f"{name} {index + 1}", _canonical(after, rules)

    def over(state: State) -> bool:
        one, two = (_over(order) for order in state.orders)
        return one and two if rules.legs else one and (two or not _again(state, rules))

    return Machine(State(faults=rules.faults), moves, lambda state: _broken(state, rules), over)


def _over(order: Order) -> bool:
    return order.first == "decline" or order.out in ENDS


def _dead(order: Order) -> bool:
    return order.first == "decline" or order.out in ("refused", "absent")


def _broken(state: State, rules: Rules) -> int:
    one, two = state.orders
    if any(_dead(order) and order.executed for order in state.orders):
        return 12
    together = 0 if rules.legs else one.executed + two.executed
    if max(one.executed, two.executed, together) > 1:
        return 11
    return next(iter(state.bad), 0)


def _canonical(state: State, rules: Rules) -> State:
    orders = tuple(
        order._replace(
            answer="" if order.out in ENDS else order.answer,
            sealed=order.sealed if order.out == "doubt" else "",
            asked=order.asked and not (rules.shared_id and order.first),
        )
        for order in state.orders
    )
    if rules.legs and orders[1] < orders[0]:
        return state._replace(orders=(orders[1], orders[0]))
    return state._replace(orders=(orders[0], orders[1]))


def _put(state: State, index: int, order: Order) -> State:
    orders = (order, state.orders[1]) if index == 0 else (state.orders[0], order)
    return state._replace(orders=orders)


# What the bridges decide from the log.


def _again(state: State, rules: Rules) -> bool:
    """Whether the second attempt may follow the first."""
    first = state.orders[0]
    ended = first.out in ("refused", "absent")
    presumed = first.out == "presumed" and not rules.watched
    return ended or presumed or (first.out == "doubt" and not rules.attempts)


def _may_begin(state: State, index: int, rules: Rules) -> bool:
    if not rules.legs:
        return index == 0 or _again(state, rules)
    other = state.orders[1 - index]
    unknown = other.first == "claim" and other.out in ("", "doubt")
    return not (rules.bridge_waits and unknown)


def _log(state: State, index: int, rules: Rules) -> Moves:
    order = state.orders[index]
    if not order.first and _may_begin(state, index, rules):
        if not state.late and not order.asked:
            yield "asks to claim", _put(state, index, order._replace(asked=True))
        if state.late and (rules.legs or index == 0 or state.orders[0].out in ENDS):
            yield "declined", _put(state, index, order._replace(first="decline"))
    if order.asked and (not order.first or not rules.shared_id):
        claimed = order._replace(asked=False, first=order.first or "claim")
        yield "claimed and sent", _put(state, index, claimed._replace(requests=1))
        yield "claimed, nobody sends", _put(state, index, claimed)
    if order.asked:
        yield "the claim is lost", _put(state, index, order._replace(asked=False))


def _outcome(state: State, index: int, rules: Rules) -> Moves:
    del rules
    order = state.orders[index]
    if order.first != "claim" or order.out not in ("", "doubt"):
        return
    if order.answer:
        yield (
            f"answer {order.answer}",
            _put(state, index, order._replace(out=order.answer, answer="")),
        )
        yield "answer lost", _put(state, index, order._replace(answer=""))
    if not order.out:
        yield "in doubt", _put(state, index, order._replace(out="doubt"))


# The node.


def _node(state: State, index: int, rules: Rules) -> Moves:
    order, other = state.orders[index], state.orders[1 - index]
    if order.requests:
        yield from _received(state, index, rules)
    if order.entry == "begun" and other.entry != "calling":
        if rules.legs and rules.node_waits and other.entry == "sending":
            kept = order._replace(entry="refused", answer="refused")
            yield "node refuses: unresolved", _put(state, index, kept)
        else:
            unknown = rules.legs and other.entry == "sending"
            bad = state.bad | ({13} if unknown else set())
            called = order._replace(entry="calling", calls=order.calls + 1)
            yield "node calls", _put(state, index, called)._replace(bad=bad)
    if order.entry == "calling" and order.calls:
        yield "the call is over", _put(state, index, order._replace(entry="sending"))
    if index == 0 and state.faults:
        found = [_found(each) for each in state.orders]
        left = state.faults - 1
        yield "node restarts", state._replace(orders=(found[0], found[1]), faults=left)


def _received(state: State, index: int, rules: Rules) -> Moves:
    order = state.orders[index]
    fewer = order._replace(requests=order.requests - 1)
    yield "request lost", _put(state, index, fewer)
    if state.faults and order.requests == 1:
        doubled = _put(state, index, order._replace(requests=2))
        yield "request doubled", doubled._replace(faults=state.faults - 1)
    if order.entry and rules.journal:
        answer = "refused" if order.entry in ("refused", "sealed") else order.answer
        yield "node: known", _put(state, index, fewer._replace(answer=answer))
        return
    yield "node journals", _put(state, index, fewer._replace(entry="begun"))
    kept = "refused" if rules.refusals_kept else order.entry
    refused = fewer._replace(entry=kept, answer="refused")
    yield "node refuses: a gate", _put(state, index, refused)


def _found(order: Order) -> Order:
    entry = "sending" if order.entry in ("begun", "calling") else order.entry
    return order._replace(entry=entry, answer="")


# The venue.


def _venue(state: State, index: int, rules: Rules) -> Moves:
    del rules
    order = state.orders[index]
    if not order.calls:
        return
    back = order.entry == "calling"
    fewer = order._replace(calls=order.calls - 1)
    heard = fewer._replace(entry="answered") if back else fewer
    done = heard._replace(executed=order.executed + 1, answer="done" if back else "")
    yield "venue executes", _put(state, index, done)
    if back:
        yield "venue refuses", _put(state, index, heard._replace(answer="refused"))
    lost = fewer._replace(entry="sending" if back else order.entry)
    yield "call lost", _put(state, index, lost)


# Evidence.


def _evidence(state: State, index: int, rules: Rules) -> Moves:
    order = state.orders[index]
    if order.first != "claim" or order.out not in ("doubt", "presumed"):
        return
    if order.executed:
        yield "found", _put(state, index, order._replace(out="done"))
        return
    if order.out == "presumed" and not order.calls:  # the watch is longer than any venue's lag
        yield "watched to the end", _put(state, index, order._replace(out="absent"))
        return
    if order.out == "presumed":
        return
    if order.entry in ("refused", "answered"):
        yield "the journal says refused", _put(state, index, order._replace(out="refused"))
    match order.sealed:
        case "":
            yield from _seal(state, index, rules)
        case "never":
            yield "absent", _put(state, index, order._replace(out="absent"))
        case "sent" if not order.calls or rules.late_fills:
            yield "settled", _put(state, index, order._replace(sealed="settled"))
        case "settled":
            yield "two passes found nothing", _put(state, index, order._replace(out="presumed"))
        case _:
            pass


def _seal(state: State, index: int, rules: Rules) -> Moves:
    order = state.orders[index]
    never = order.entry in ("", "begun", "refused", "sealed")
    if never:
        kept = "refused" if order.entry in ("begun", "refused") else "sealed"
        yield "sealed, never sent", _put(state, index, order._replace(sealed="never", entry=kept))
    elif order.entry != "calling":
        kept = "returned" if order.entry == "sending" else order.entry
        said = "sent" if rules.honest_seal else "never"
        yield "sealed, was sent", _put(state, index, order._replace(sealed=said, entry=kept))


def _case(name: str, breaks: int, *, note: str = "", **rules: Any) -> Case[State]:
    whole = not breaks and not note
    return Case(
        name=name, machine=machine(Rules(**rules)), breaks=breaks, liveness=whole, note=note
    )


CASES: tuple[Case[State], ...] = (
    _case("two attempts at one leg, two faults", 0),
    _case("two legs on one symbol, one fault", 0, legs=True, faults=1),
    _case("two attempts, a venue slower than it is settled for", 0, late_fills=True, faults=1),
    _case("another attempt while the first is in doubt", 11, attempts=False),
    _case(
        "another attempt while the first is only presumed absent, at such a venue",
        11,
        watched=False,
        late_fills=True,
    ),
    _case("refusals not journalled", 12, refusals_kept=False),
    _case("without the journal", 12, journal=False),
    _case("a seal that says never sent of what was", 12, honest_seal=False),
    _case("a decline without the claim's id", 12, shared_id=False),
    _case("the node does not wait for an unknown outcome", 13, legs=True, node_waits=False),
    _case(
        "the bridge does not wait for an unknown outcome",
        0,
        note="the node waits; the bridge spares a refusal that ends the order",
        legs=True,
        faults=1,
        bridge_waits=False,
    ),
)
