"""One approved leg and its one order, from the claim to a proven end, under a kill at any moment.

Two bridges, the log, the node with its journal, epoch and lease, and a venue that may execute late
or never. Each rule, and the module that it stands for:

    A claim is fenced with the account's control and carries a once-id    bridge/runner/claims.py
    A decline carries the same id and is create-once (ADR 7)              bridge/runner/claims.py
    Only `Mine`, for the very claim that stands, sends                    bridge/runner/claims.py
    An append that timed out may land later; its writer claims anew       runtime/log.py, follow.py
    An id goes into the journal before its call; a known id is answered   lasthop/journal.py
    A refusal of the node is journalled, so the id is never sent          lasthop/hop.py (4)
    The gates are asked, and asked again in the step that begins the call lasthop/hop.py (3)
    Deadline, epoch, lease stop what adds risk; exits need no epoch       lasthop/gates.py
    A lease is asked for with a nonce and lives from the asking           lasthop/lease.py
    The epoch is durable and only rises                                   lasthop/journal.py (6)
    Past its time and without outcome an order is in doubt                bridge/core/outcome.py (2)
    In doubt: search, then seal, then settle, then presume                bridge/core/doubt.py
    A seal bars what is not called yet, and is none while a call runs     lasthop/hop.py (6)

Losses cost nothing. A crash of bridge or node, the death of a bridge for good, a request that comes
twice, a lease that lapses, a restore: each costs one of `faults`. Time is two flags: deadline and
grace are past (`late`), one lease since the kill (`lease_over`). The node's clock is off by
any amount: it may find the deadline passed whenever it looks. The venue's lag is bounded: what left
the node's machine has landed or is lost, and is listed, when the settling time is over.

A bridge folds everything but the kill at once: what it could miss of the rest is what lands while
its own append is on the way, and that is here. The bridges are interchangeable, so a state and its
mirror image count as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.explore import Machine
from tests.model.one_order_rules import Rules

ENDS = ("done", "refused", "absent")


class Bridge(NamedTuple):
    """`at`: idle, asked (an append under way), may (send), sent, out (follows only), dead."""

    at: str = "idle"
    knows: bool = False
    """Has folded the kill."""
    ask: str = ""
    """Its append at the log's door: claim, claim+ (under the folded kill), decline."""
    told: str = ""
    """The log's answer on its way back: mine, theirs, stale."""
    own: bool = False
    """The claim on record is the one it waits for."""
    requests: int = 0
    """Its requests on their way to the node."""
    journal: str = ""
    """The order's entry at the node it speaks to, if every bridge has a node of its own."""


class State(NamedTuple):
    kill: str = ""
    """"" flying (stored soon, seen by no wildcard) stands."""
    named: bool = False
    first: str = ""
    """The first event: "" claim claim+ decline."""
    out: str = ""
    """"" doubt presumed done refused absent: what the log says came of it."""
    sealed: str = ""
    """"" never sent settled passed: what the seal said, that its settling time is over, and that a
    search since then found nothing."""
    late: bool = False
    lease_over: bool = False
    epoch: bool = False
    """The node knows of the kill."""
    confirmed: bool = False
    lease: bool = True
    """The lease that the claim relies on is live at the node."""
    ghost: str = ""
    """An append whose writer has given up."""
    bridges: tuple[Bridge, Bridge] = (Bridge(), Bridge())
    journal: str = ""
    """The order's entry: "" begun calling sending refused sealed answered."""
    calls: int = 0
    executed: int = 0
    listed: bool = True
    answer: str = ""
    """The node's answer on its way to whoever waits: done refused."""
    faults: int = 1
    bad: frozenset[int] = frozenset()
    """Invariants that a step has broken."""


Moves = Iterator[tuple[str, State]]


def machine(rules: Rules, *, only: int = 0) -> Machine[State]:
    """`only`: look at this invariant and no other."""
    parts = (_control, _time, _log, _bridges, _network, _node, _venue, _evidence, _crashes)

    def moves(state: State) -> Moves:
        for part in parts:
            for name, after in part(state, rules):
                yield name, _canonical(after, rules)

    def over(state: State) -> bool:
        return state.first == "decline" or state.out in ENDS

    def broken(state: State) -> int:
        numbers = _broken(state)
        return next((n for n in numbers if only in (0, n)), 0)

    return Machine(State(faults=rules.faults), moves, broken, over)


def _broken(state: State) -> tuple[int, ...]:
    dead = state.out in ("refused", "absent") or state.first == "decline"
    return (
        *state.bad,
        *((1,) if state.executed > 1 else ()),
        *((7,) if dead and state.executed else ()),
        *((10,) if state.out == "presumed" and state.executed else ()),
    )


def _canonical(state: State, rules: Rules) -> State:
    """Forget what can matter no more, and take the mirror image that sorts first.

    What is forgotten depends on the safeguards: without them it may matter after all.
    """
    settled = not (rules.restore and state.faults)
    sure = rules.once and rules.shared_id and settled
    one, two = (_canonical_bridge(b, state, sure=sure and rules.own_ack) for b in state.bridges)
    ghost = "" if sure and state.first else state.ghost
    over = state.out in ENDS
    known = rules.journal and rules.journal_durable and rules.one_journal
    state = state._replace(
        bridges=(one, two) if one <= two else (two, one),
        ghost=ghost,
        answer="" if over else state.answer,
        sealed=state.sealed if state.out == "doubt" else "",
        listed=state.listed or state.out == "done",
        late=state.late or (sure and rules.seal and state.out != ""),
    )
    if known and sure and state.journal not in ("", "begun"):
        # The id is known: no call of it begins again, and no gate is asked.
        return state._replace(
            kill="stands", named=True, epoch=True, confirmed=True, lease=False, lease_over=True
        )
    return state


def _canonical_bridge(bridge: Bridge, state: State, *, sure: bool) -> Bridge:
    at, told = bridge.at, bridge.told
    if state.first and at == "idle":
        at = "out"
    if sure and state.first and at == "asked" and not bridge.own:
        at, told = "out", ""
    if at == "sent" and state.out in ENDS:
        at = "out"
    if at not in ("idle", "asked"):
        return Bridge(at=at, requests=bridge.requests, journal=bridge.journal)
    return bridge._replace(at=at, told=told)


def _with(state: State, index: int, bridge: Bridge) -> tuple[Bridge, Bridge]:
    return (bridge, state.bridges[1]) if index == 0 else (state.bridges[0], bridge)


# The control plane and time.


def _control(state: State, rules: Rules) -> Moves:
    if not state.kill:
        named = state.first.startswith("claim") and state.out in ("", "doubt")
        kill = "stands" if rules.literal else "flying"
        yield "kill", state._replace(kill=kill, named=named)
    if state.kill == "flying":
        yield "the kill is stored", state._replace(kill="stands")
    if state.kill and not state.epoch:
        yield (
            "node learns the epoch",
            state._replace(epoch=True, lease=state.lease and not rules.raise_drops),
        )
    if state.epoch and not state.confirmed:
        yield "node's confirmation is on record", state._replace(confirmed=True)


def _time(state: State, rules: Rules) -> Moves:
    if not state.late:
        yield "deadline and grace pass", state._replace(late=True)
    if not rules.entry:
        return
    if state.kill and not state.lease_over:
        yield "one lease passes", state._replace(lease_over=True, lease=False)
    if state.lease and state.faults:
        yield "the lease lapses", state._replace(lease=False, faults=state.faults - 1)
    fresh = not state.kill and not state.first  # a claim relies on the lease it was made with
    if not state.lease and not state.epoch and (fresh or not rules.nonce):
        yield "a lease is granted", state._replace(lease=True)


# Bridges and the log.


def _log(state: State, rules: Rules) -> Moves:
    """What stands at the log's door is taken in any order, also when nobody waits for it."""
    for index, bridge in enumerate(state.bridges):
        if bridge.ask:
            after, told = _store(state, rules, bridge.ask)
            own = told == "mine" and bridge.ask != "decline" and not state.first
            done = bridge._replace(ask="", told=told, own=own)
            yield f"log: {bridge.ask} is {told}", after._replace(bridges=_with(state, index, done))
    if state.ghost:
        after, told = _store(state, rules, state.ghost)
        yield f"ghost: {state.ghost} is {told}", after._replace(ghost="")
        yield "the ghost is lost", state._replace(ghost="")


def _store(state: State, rules: Rules, ask: str) -> tuple[State, str]:
    if ask == "decline":
        return (state._replace(first=ask), "mine") if not state.first else (state, "theirs")
    seen = "claim+" if state.kill == "stands" else "claim"
    if rules.fence and ask != seen:
        return state, "stale"
    if rules.once and (state.first.startswith("claim") or (state.first and rules.shared_id)):
        return state, "theirs"
    bad = state.bad | ({2} if state.first else set())
    if rules.entry and state.kill and ask == "claim":
        bad |= {3}
    return state._replace(first=state.first or ask, bad=bad), "mine"


def _bridges(state: State, rules: Rules) -> Moves:
    for index, bridge in enumerate(state.bridges):
        for name, after, change in _bridge(state, bridge, rules):
            yield f"{name}", change._replace(bridges=_with(state, index, after))


def _bridge(state: State, bridge: Bridge, rules: Rules) -> Iterator[tuple[str, Bridge, State]]:
    following = bridge._replace(at="out", knows=False, told="", own=False)
    match bridge.at:
        case "idle":
            yield from _idle(state, bridge, rules, following)
        case "asked" if bridge.told:
            yield from _told(state, bridge, rules, following)
            yield "the log's answer is lost", *_unheard(state, bridge, following)
        case "asked":
            name = "append times out"
            if not state.ghost:
                given_up = bridge._replace(ask="")
                ghost = state._replace(ghost=bridge.ask)
                yield name, *_unheard(ghost, given_up, following)
        case "may":
            yield "sends", bridge._replace(at="sent", requests=bridge.requests + 1), state
        case "sent":
            yield from _sent(state, rules, following)
        case _:
            pass


def _idle(
    state: State, bridge: Bridge, rules: Rules, following: Bridge
) -> Iterator[tuple[str, Bridge, State]]:
    if state.first:
        yield "folds the first event", following, state
        return
    if state.kill and not bridge.knows:
        yield "folds the kill", bridge._replace(knows=True), state
    if not state.late and not (rules.entry and (bridge.knows or not state.lease)):
        ask = "claim+" if bridge.knows else "claim"
        yield "asks to claim", bridge._replace(at="asked", ask=ask), state
    if state.late or (rules.entry and bridge.knows):
        yield "asks to decline", bridge._replace(at="asked", ask="decline"), state


def _told(
    state: State, bridge: Bridge, rules: Rules, following: Bridge
) -> Iterator[tuple[str, Bridge, State]]:
    mine = bridge.told == "mine" and (bridge.own or not rules.stands)
    theirs = bridge.told == "theirs" and not rules.own_ack and state.first.startswith("claim")
    if mine or theirs:
        at = "may" if state.first.startswith("claim") or not rules.stands else "out"
        yield "knows that the claim is its own", bridge._replace(at=at, told="", own=False), state
    elif state.first:
        yield "follows", following, state
    else:
        yield "decides again", bridge._replace(at="idle", told="", knows=bool(state.kill)), state


def _unheard(state: State, bridge: Bridge, following: Bridge) -> tuple[Bridge, State]:
    """The append's outcome is unknown: the log is read, and never assumed."""
    if bridge.own and state.out == "":
        return following._replace(ask=""), state._replace(out="doubt")
    if state.first:
        return following._replace(ask=""), state
    return bridge._replace(at="idle", ask="", told="", knows=bool(state.kill)), state


def _sent(state: State, rules: Rules, following: Bridge) -> Iterator[tuple[str, Bridge, State]]:
    if state.answer:
        open_still = state.out in ("", "doubt")
        out = state.answer if open_still else state.out
        yield f"answer: {state.answer}", following, state._replace(out=out, answer="")
    unknown = "doubt" if rules.doubt else "refused"
    yield "no answer", following, state._replace(out=state.out or unknown)


# The network and the node.


def _network(state: State, rules: Rules) -> Moves:
    for index, bridge in enumerate(state.bridges):
        if not bridge.requests:
            continue
        fewer = bridge._replace(requests=bridge.requests - 1)
        arrived = state._replace(bridges=_with(state, index, fewer))
        yield "request lost", arrived
        if state.faults and bridge.requests == 1:
            twice = _with(state, index, bridge._replace(requests=2))
            yield "request doubled", state._replace(bridges=twice, faults=state.faults - 1)
        own = not rules.one_journal
        known = bridge.journal if own else state.journal
        for name, after, entry in _received(arrived, rules, known):
            yield name, _keep(after, index, entry, own=own)


def _keep(state: State, index: int, entry: str, *, own: bool) -> State:
    if not own:
        return state._replace(journal=entry)
    return state._replace(bridges=_with(state, index, state.bridges[index]._replace(journal=entry)))


def _received(state: State, rules: Rules, entry: str) -> Iterator[tuple[str, State, str]]:
    if entry and rules.journal:
        known = "refused" if entry in ("refused", "sealed") else state.answer
        yield "node: known", state._replace(answer=known), entry
        return
    # By its own clock the deadline may be past at any time: clocks differ.
    yield "node refuses: too late", *_refused(state, rules, entry)
    if _closed(state, rules):
        bad = state.bad | (set() if rules.entry else {9})
        yield "node refuses", *_refused(state._replace(bad=bad), rules, entry)
    elif not rules.journal_first:
        yield "node calls", _begins(state, rules), entry
    else:
        yield "node journals", state, "begun"


def _closed(state: State, rules: Rules) -> bool:
    if rules.entry:
        return (rules.epoch and state.epoch) or (rules.lease and not state.lease)
    return _bars_exit(state, rules)


def _bars_exit(state: State, rules: Rules) -> bool:
    """What must not be: an exit claimed before the kill, measured by the epoch."""
    return not rules.entry and not rules.exits_exempt and state.epoch and state.first == "claim"


def _refused(state: State, rules: Rules, entry: str) -> tuple[State, str]:
    kept = "refused" if rules.refusals_kept else ("" if entry == "begun" else entry)
    return state._replace(answer="refused"), kept


def _begins(state: State, rules: Rules) -> State:
    unclaimed = not state.first.startswith("claim")
    unnamed = state.kill and not state.named
    broken = {
        8: unclaimed,
        4: rules.entry and unnamed,
        5: rules.entry and state.confirmed,
        6: rules.entry and state.lease_over,
    }
    bad = state.bad | {number for number, is_so in broken.items() if is_so}
    return state._replace(calls=state.calls + 1, bad=bad)


def _node(state: State, rules: Rules) -> Moves:
    """A journalled id whose turn has come; nothing runs between the last look and the call."""
    for index, entry, own in _entries(state, rules):
        if entry == "begun":
            if rules.second_look and _closed(state, rules):
                after, kept = _refused(state, rules, entry)
                yield "node withdraws", _keep(after, index, kept, own=own)
            else:
                yield "node calls", _keep(_begins(state, rules), index, "calling", own=own)
        if entry == "calling" and state.calls:
            # It gave up waiting, or its worker was killed: what has left may still land.
            yield "the call is over, without answer", _keep(state, index, "sending", own=own)


def _entries(state: State, rules: Rules) -> Iterator[tuple[int, str, bool]]:
    if rules.one_journal:
        yield 0, state.journal, False
    else:
        for index, bridge in enumerate(state.bridges):
            yield index, bridge.journal, True


# The venue.


def _venue(state: State, rules: Rules) -> Moves:
    if state.calls:
        fewer = state._replace(calls=state.calls - 1)
        done = _answered(fewer, rules)
        yield (
            "venue executes",
            done._replace(executed=state.executed + 1, listed=False, answer="done"),
        )
        yield "venue refuses", done._replace(answer="refused")
        yield "call lost", fewer._replace(journal=_unanswered(state.journal))
    if not state.listed:
        yield "venue lists it", state._replace(listed=True)
    if state.answer:
        yield "answer lost", state._replace(answer="")


def _answered(state: State, rules: Rules) -> State:
    if not rules.journal_first:
        return state._replace(journal="answered")
    bridges = tuple(b._replace(journal=_kept(b.journal)) for b in state.bridges)
    return state._replace(journal=_kept(state.journal), bridges=(bridges[0], bridges[1]))


def _kept(entry: str) -> str:
    return "answered" if entry == "calling" else entry


def _unanswered(entry: str) -> str:
    return "sending" if entry == "calling" else entry


# Evidence: any bridge that lives may look for it.


def _evidence(state: State, rules: Rules) -> Moves:
    if not state.first.startswith("claim") or all(b.at == "dead" for b in state.bridges):
        return
    if not state.out and state.late and rules.watcher:
        yield "watcher: in doubt", state._replace(out="doubt")
    if state.out not in ("doubt", "presumed"):
        return
    if state.executed and state.listed:
        yield "found", state._replace(out="done")
        if rules.flickers and state.faults and state.out == "doubt":
            yield from _missed(state, rules)
        return
    entries = [entry for _, entry, _ in _entries(state, rules)]
    if state.out == "presumed":
        yield "watched to the end", state._replace(out="absent")
        return
    if "refused" in entries or ("answered" in entries and not state.executed):
        yield "the journal says refused", state._replace(out="refused")
    if not rules.seal:
        if state.late:
            yield "nothing found", state._replace(out="absent")
        return
    yield from _seal(state, rules, entries)


def _seal(state: State, rules: Rules, entries: list[str]) -> Moves:
    if not state.sealed and all(each in ("", "begun", "refused", "sealed") for each in entries):
        bridges = tuple(b._replace(journal="sealed") for b in state.bridges)
        barred = state._replace(journal="sealed", sealed="never")
        if not rules.one_journal:
            barred = barred._replace(journal="", bridges=(bridges[0], bridges[1]))
        yield "sealed, never sent", barred
    elif not state.sealed and ("calling" not in entries or not rules.abandon):
        yield "sealed, was sent", state._replace(sealed="sent")
    if state.sealed == "never":
        yield "absent", state._replace(out="absent")
    if state.sealed == "sent":
        # What never left the machine is not bounded by the venue's lag.
        travelling = state.calls if rules.abandon or "calling" not in entries else 0
        if not rules.settle or (not travelling and state.listed):
            yield "settled", state._replace(sealed="settled")
    if state.sealed in ("settled", "passed"):
        yield from _passed(state, rules)


def _passed(state: State, rules: Rules) -> Moves:
    """A search after the settling time found nothing: a pass, of which two are needed."""
    if not rules.flickers:
        yield "two passes found nothing", state._replace(out="presumed")
    elif state.sealed == "settled" and rules.two_passes:
        yield "a pass found nothing", state._replace(sealed="passed")
    else:
        yield "the last pass found nothing", state._replace(out="presumed")


def _missed(state: State, rules: Rules) -> Moves:
    """The venue's list leaves out, this once, what it holds."""
    missed = state._replace(faults=state.faults - 1)
    if state.sealed == "sent":
        missed = missed._replace(sealed="settled")
    if missed.sealed in ("settled", "passed"):
        for name, after in _passed(missed, rules):
            yield f"the list flickers: {name}", after


# Crashes.


def _crashes(state: State, rules: Rules) -> Moves:
    if not state.faults:
        return
    left = state._replace(faults=state.faults - 1)
    for index, bridge in enumerate(state.bridges):
        if bridge.at == "dead":
            continue
        ghost = state.ghost or bridge.ask
        again = bridge._replace(at="idle", knows=False, ask="", told="", own=False)
        yield "bridge restarts", left._replace(bridges=_with(state, index, again), ghost=ghost)
        if not any(each.at == "dead" for each in state.bridges):
            dead = again._replace(at="dead")
            yield "bridge dies", left._replace(bridges=_with(state, index, dead), ghost=ghost)
    yield "node restarts", _restarted(left, rules)
    if rules.restore and state.first:
        yield "RESTORE", _restored(left, rules)


def _restored(state: State, rules: Rules) -> State:
    """The fleet has stopped; its log knows of the order what the node's journal does."""
    stopped = _restarted(state, rules)
    one, two = (
        Bridge(at="dead" if b.at == "dead" else "idle", journal=b.journal) for b in stopped.bridges
    )
    entries = (stopped.journal, one.journal, two.journal)
    known = any(entry in ("sending", "answered", "refused") for entry in entries)
    return stopped._replace(
        kill="stands",
        named=False,
        epoch=False,
        confirmed=False,
        lease_over=False,
        first="claim" if known and rules.put_back else "",
        out="",
        sealed="",
        ghost="",
        bridges=(one, two),
    )


def _restarted(state: State, rules: Rules) -> State:
    """What it had begun it cannot know any more; leases are of memory only."""

    def found(entry: str) -> str:
        if not rules.journal_durable:
            return ""
        return "sending" if entry in ("begun", "calling") else entry

    one, two = (b._replace(journal=found(b.journal)) for b in state.bridges)
    epoch = state.epoch and rules.epoch_durable
    return state._replace(
        journal=found(state.journal), bridges=(one, two), lease=False, answer="", epoch=epoch
    )
