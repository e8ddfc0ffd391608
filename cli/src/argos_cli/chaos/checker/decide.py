"""Whether the promises were kept, decided from records alone. Pure.

At rest, over everything since the first alert:

    copies          all answers 200 to one id name one signal; one of them at most says "accepted"
    conflict        an id with other content is never answered 200
    lost            a signal answered 200 has one verdict on each account it is routed to, and what was
                    approved has an order that ended, or was declined
    refused-traded  no order exists for an alert that was refused at the door
    order-twice     no venue accepted two orders with one tag
    too-much        entries filled at a venue are at most what the alert asked for
    unasked         every order at a venue is one that an accepted alert explains: its tag is made of
                    that alert's trade, the account, the leg, the part and the attempt
    differs         what an order is said to have filled is what the venue filled under its tag
    after-kill      between a kill's reply and its release nothing that adds risk reached a venue,
                    but for the orders which the reply names
    exit-not-done   an exit leaves nothing open, killed or not, but for what is on record as a close
                    that the venue never got; and with that on record it is not refused
    position        a venue holds what the alerts add up to, by what became of each
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from argos_cli.chaos.checker.records import Alert, Declared, Evidence, Finding, Lane, Verdict

TAG_MARK = "a1"
OK = 200
ZERO = Decimal(0)
ENDED = frozenset({"filled", "refused", "absent", "presumed absent", "declined"})
"""States of an order in which nothing is expected of it any more."""

NEVER_DONE = frozenset({"absent", "presumed absent"})
"""Declared ends of an order that the venue never got: what it was to close is still there then."""
DOUBT_NS = 10_000_000_000
"""So long the fleet may take to say that it does not know; until then an exit counts as under way."""

Key = tuple[str, str]


def order_tag(trade_id: str, account: str, leg: int, part: int, attempt: int) -> str:
    """The tag of an order by the published rule: 65 bits of BLAKE2b in base32 behind the mark."""
    facts = "\x1f".join((trade_id, account, f"{leg}.{part}", str(attempt)))
    digest = int.from_bytes(hashlib.blake2b(facts.encode(), digest_size=9).digest(), "big")
    text = base64.b32encode((digest >> 7 << 15).to_bytes(10, "big")).decode()
    return TAG_MARK + text[:13].lower()


@dataclass(slots=True)
class _Index:
    """Evidence by what the rules look it up with."""

    evidence: Evidence
    lanes: dict[str, Lane] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    """Key -> signal id, of alerts answered 200."""
    sent: dict[str, int] = field(default_factory=dict)
    """Key -> when it was sent first."""
    keys: dict[str, str] = field(default_factory=dict)
    """Signal id -> key."""
    refused: set[str] = field(default_factory=set)
    """Signal ids that were refused at the door and never taken."""
    verdicts: dict[Key, list[Verdict]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[Key, list[Declared]] = field(default_factory=lambda: defaultdict(list))
    by_tag: dict[Key, Declared] = field(default_factory=dict)
    filled: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """(account, tag) -> what the venue filled."""
    moved: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """(account, tag) -> what that did to the position, signed."""

    def __post_init__(self) -> None:
        found = self.evidence
        self.lanes = {lane.name: lane for lane in found.lanes}
        self.alerts = {alert.key: alert for alert in found.alerts}
        for answer in found.answers:
            self.sent.setdefault(answer.key, answer.sent_ns)
            if answer.same and answer.status == OK:
                self.taken.setdefault(answer.key, answer.signal_id)
        self.keys = {signal: key for key, signal in self.taken.items()}
        self.refused = {
            answer.signal_id
            for answer in found.answers
            if 400 <= answer.status < 500 and answer.same and answer.signal_id
        } - set(self.keys)
        for verdict in found.verdicts:
            self.verdicts[verdict.signal_id, verdict.account].append(verdict)
        for order in found.declared:
            self.orders[order.cause_id, order.account].append(order)
            self.by_tag[order.account, TAG_MARK + order.order_id] = order
        for deal in found.deals:
            if deal.ours:
                self.filled[deal.account, deal.tag] += deal.quantity
                self.moved[deal.account, deal.tag] += deal.delta

    def routed(self) -> Iterable[tuple[str, str, Lane]]:
        """(signal id, account, lane) of every signal answered 200."""
        for key, signal in self.taken.items():
            lane = self.lanes[self.alerts[key].lane]
            for account in lane.accounts:
                yield signal, account, lane


def check(evidence: Evidence) -> tuple[Finding, ...]:
    """Every promise that was not kept; empty if all were."""
    index = _Index(evidence)
    found: dict[Finding, None] = {}
    for rule in RULES:
        found.update(dict.fromkeys(rule(index)))
    return tuple(found)


def _copies(index: _Index) -> Iterable[Finding]:
    accepted: Counter[str] = Counter()
    for answer in index.evidence.answers:
        if answer.status != OK:
            continue
        if not answer.same:
            said = f"an id with other content was answered {answer.status} {answer.word}"
            yield Finding("conflict", answer.key, f"{answer.key}: {said}")
        elif answer.signal_id != index.taken[answer.key]:
            said = f"answered as signal {answer.signal_id} and as {index.taken[answer.key]}"
            yield Finding("copies", answer.key, f"{answer.key} was {said}")
        accepted[answer.key] += answer.word == "accepted"
    for key, count in accepted.items():
        if count > 1:
            yield Finding("copies", key, f"{key} was answered as accepted {count} times")


def _lost(index: _Index) -> Iterable[Finding]:
    for signal, account, _ in index.routed():
        verdicts = index.verdicts[signal, account]
        if len(verdicts) != 1:
            said = f"{len(verdicts)} verdicts on {account} instead of 1"
            yield Finding("lost", signal, f"signal {signal} was answered 200 and has {said}")
            continue
        orders = index.orders[signal, account]
        if verdicts[0].decision == "refused":
            if orders:
                said = f"refused on {account} and has {len(orders)} orders"
                yield Finding("lost", signal, f"signal {signal} was {said}")
        elif not orders:
            said = f"approved on {account} and has no order"
            yield Finding("lost", signal, f"signal {signal} was {said}")
        for order in orders:
            if order.state not in ENDED:
                said = f"order {order.order_id} on {account} is {order.state} at rest"
                yield Finding("lost", signal, f"signal {signal}: {said}")


def _refused_traded(index: _Index) -> Iterable[Finding]:
    for order in index.evidence.declared:
        if order.cause_id in index.refused:
            said = f"has order {order.order_id} on {order.account}"
            yield Finding(
                "refused-traded",
                order.cause_id,
                f"signal {order.cause_id} was refused at the door and {said}",
            )


def _order_twice(index: _Index) -> Iterable[Finding]:
    counts = Counter((order.account, order.tag) for order in index.evidence.orders)
    for (account, tag), count in counts.items():
        if count > 1:
            yield Finding("order-twice", tag, f"{account} accepted {count} orders with tag {tag}")


def _too_much(index: _Index) -> Iterable[Finding]:
    for signal, account, lane in index.routed():
        alert = index.alerts[index.keys[signal]]
        if not alert.quantity:
            continue
        asked = alert.quantity * lane.accounts[account]
        opened = [o for o in index.orders[signal, account] if o.effect == "open"]
        got = sum((index.filled[account, TAG_MARK + o.order_id] for o in opened), ZERO)
        if got > asked:
            said = f"asked for {asked} on {account} and got {got}"
            yield Finding("too-much", signal, f"signal {signal} {said}")


def _unasked(index: _Index) -> Iterable[Finding]:
    for order in index.evidence.orders:
        declared = index.by_tag.get((order.account, order.tag))
        if declared is None:
            said = "and the fleet knows of no such order"
            yield Finding("unasked", order.tag, f"{order.account} has an order {order.tag} {said}")
            continue
        made = order_tag(
            declared.trade_id, order.account, declared.leg, declared.part, declared.attempt
        )
        if made != order.tag or declared.cause_id not in index.keys:
            said = f"which no accepted alert explains (cause {declared.cause_id})"
            yield Finding("unasked", order.tag, f"{order.account} has an order {order.tag} {said}")


def _differs(index: _Index) -> Iterable[Finding]:
    for (account, tag), order in index.by_tag.items():
        at_venue = index.filled[account, tag]
        if at_venue != order.filled:
            said = f"{order.state} with {order.filled} filled, and {account} filled {at_venue}"
            yield Finding("differs", tag, f"order {order.order_id} is said to be {said}")


def _after_kill(index: _Index) -> Iterable[Finding]:
    risky = [
        (deal.account, deal.tag, deal.received_ns)
        for deal in index.evidence.deals
        if deal.ours and deal.opens
    ]
    for request in index.evidence.requests:
        declared = index.by_tag.get((request.account, request.tag))
        if declared is not None and declared.effect == "open":
            risky.append((request.account, request.tag, request.received_ns))
    for kill in index.evidence.kills:
        for account, tag, at_ns in risky:
            if account not in kill.accounts or tag.removeprefix(TAG_MARK) in kill.named:
                continue
            if at_ns > kill.replied_ns and (not kill.released_ns or at_ns < kill.released_ns):
                said = f"added risk on {account} after the reply of the kill by {kill.by}"
                yield Finding("after-kill", tag, f"order {tag} {said}, which does not name it")


def _positions(index: _Index) -> Iterable[Finding]:
    taken = sorted(index.taken, key=lambda key: index.sent[key])
    for lane in index.lanes.values():
        alerts = [index.alerts[key] for key in taken if index.alerts[key].lane == lane.name]
        for account in lane.accounts:
            yield from _lane_position(index, lane, account, alerts)


def _lane_position(
    index: _Index, lane: Lane, account: str, alerts: Sequence[Alert]
) -> Iterable[Finding]:
    """Follow one lane on one account, alert by alert, by what became of each."""
    broker = sum(
        (
            deal.delta
            for deal in index.evidence.deals
            if not deal.ours and (deal.account, deal.symbol) == (account, lane.symbol)
        ),
        ZERO,
    )
    held, swept = ZERO, ZERO
    missed: list[tuple[int, Decimal]] = []
    for alert in alerts:
        signal = index.taken[alert.key]
        sent_ns = index.sent[alert.key]
        orders = index.orders[signal, account]
        held += sum((index.moved[account, TAG_MARK + o.order_id] for o in orders), ZERO)
        closing = (o for o in orders if o.effect == "close" and o.state in NEVER_DONE)
        missed += [(sent_ns, order.quantity) for order in closing]
        if alert.action != "exit":
            continue
        verdicts = index.verdicts[signal, account]
        refused = any(verdict.decision == "refused" for verdict in verdicts)
        excused = sum((q for at, q in missed if not refused or sent_ns - at < DOUBT_NS), ZERO)
        if abs(held) <= lane.dust:
            held, swept = ZERO, swept + held
            missed.clear()
        elif not broker and abs(held) > lane.dust + excused:
            said = f"leaves {held} {lane.symbol} on {account}"
            why = "; ".join(f"{verdict.decision}: {verdict.reason}" for verdict in verdicts)
            yield Finding("exit-not-done", signal, f"exit {signal} {said} ({why})")
    total = held + swept + broker
    real = index.evidence.positions.get((account, lane.symbol), ZERO)
    if real != total:
        said = f"holds {real} {lane.symbol}, the alerts add up to {total}"
        yield Finding("position", f"{account} {lane.symbol}", f"{account} {said}")


RULES: tuple[Callable[[_Index], Iterable[Finding]], ...] = (
    _copies,
    _lost,
    _refused_traded,
    _order_twice,
    _too_much,
    _unasked,
    _differs,
    _after_kill,
    _positions,
)
