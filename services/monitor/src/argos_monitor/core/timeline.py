"""One trade from its first signal to its reconciliation, with the milliseconds in between.

`timeline` is a pure function of the events of one trade, in log order. Times come from several
clocks, each named: `sender`, `gateway`, `risk`, `bridge`, `node`, `venue`, and `log` (the moment an
event was stored). On one machine they are one clock; across machines a hop between two clocks is as
good as their agreement, so a hop may be negative and is shown as it is.

    signal received → appended → verdict → claimed → node received → journaled → called
                    → returned → outcome appended → reconciled
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.event import Event
from argos_common.domain.order import (
    Hops,
    OrderAcknowledged,
    OrderDeclined,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderState,
    OrderSubmitting,
    next_state,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved, OrderMatched
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.times import milliseconds
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import RuleResult, VerdictGiven

from argos_monitor.core.words import DECISIONS, sentence


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of the log and what it says; `event` None if it cannot be decoded."""

    sequence: int
    appended_ns: int
    event: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened. `since_start_ms` from the first moment, `delta_ms` from the last."""

    at_ns: int
    clock: str
    what: str
    since_start_ms: Decimal
    delta_ms: Decimal
    sequence: int = 0
    account: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A station on the way. `ms` from the station before it, `total_ms` from the signal's receipt."""

    hop: str
    at_ns: int
    ms: Decimal
    total_ms: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """One verdict with every rule it looked at."""

    sequence: int
    account: str
    cause_id: str
    decision: str
    change: str
    reason: str
    rules: tuple[RuleResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One order: one attempt at one part of a leg. `match` None until it is reconciled.

    `cause_id` is the signal, or the order of an operator, that it was placed for.
    """

    order_id: str
    cause_id: str
    account: str
    leg: int
    part: int
    attempt: int
    symbol: str
    state: str
    effect: str
    side: str
    quantity: Decimal | None
    intended_price: Decimal | None
    filled_quantity: Decimal
    average_price: Decimal | None
    was_in_doubt: bool
    evidence: str
    sentence: str
    deal_ids: tuple[str, ...]
    match: OrderMatched | None
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Everything about one trade. `hops`: those of its first order that reached the venue."""

    trade_id: str
    accounts: tuple[str, ...]
    strategy: str
    bot_version: str
    symbol: str
    started_ns: int
    ended_ns: int
    signals: tuple[SignalAccepted | SignalRefused, ...]
    verdicts: tuple[VerdictLine, ...]
    orders: tuple[OrderLine, ...]
    deals: tuple[DealRecorded, ...]
    discrepancies: tuple[DiscrepancyFound | DiscrepancyResolved, ...]
    hops: tuple[Hop, ...]
    moments: tuple[Moment, ...]
    position: Decimal
    cost: Decimal
    slippage_cash: Decimal


def timeline(trade_id: str, told: Sequence[Told]) -> Timeline:
    """The timeline of a trade from its events, oldest first. At least one is needed."""
    events = [(item, item.event) for item in told if item.event is not None]
    signals = tuple(e for _, e in events if isinstance(e, SignalAccepted | SignalRefused))
    orders = _orders(events)
    moments = moments_of(told)
    deals = tuple(e for _, e in events if isinstance(e, DealRecorded) and e.trade_id == trade_id)
    named = next((e for _, e in events if isinstance(e, SignalAccepted | VerdictGiven)), None)
    matches = [line.match for line in orders if line.match is not None]
    accounts = {getattr(e, "account", "") for _, e in events} - {""}
    return Timeline(
        trade_id=trade_id,
        accounts=tuple(sorted(accounts)),
        strategy=named.strategy if named else "",
        bot_version=named.bot_version if named else "",
        symbol=named.symbol if named else next((d.deal.symbol for d in deals), ""),
        started_ns=moments[0].at_ns if moments else 0,
        ended_ns=moments[-1].at_ns if moments else 0,
        signals=signals,
        verdicts=tuple(_verdict(i, e) for i, e in events if isinstance(e, VerdictGiven)),
        orders=orders,
        deals=deals,
        discrepancies=tuple(
            e for _, e in events if isinstance(e, DiscrepancyFound | DiscrepancyResolved)
        ),
        hops=next((line.hops for line in orders if line.filled_quantity), ())
        or next((line.hops for line in orders), ()),
        moments=moments,
        position=sum((d.deal.position_delta for d in deals), Decimal(0)),
        cost=sum((match.cost for match in matches), Decimal(0)),
        slippage_cash=sum((match.slippage_cash or Decimal(0) for match in matches), Decimal(0)),
    )


Events = Sequence[tuple[Told, Event]]


def _verdict(item: Told, event: VerdictGiven) -> VerdictLine:
    return VerdictLine(
        sequence=item.sequence,
        account=event.account,
        cause_id=event.cause_id,
        decision=DECISIONS[event.decision],
        change=event.change.name.lower(),
        reason=event.reason,
        rules=event.rules,
    )


def _orders(events: Events) -> tuple[OrderLine, ...]:
    """Every order of the trade, by its claim or by its not being submitted."""
    return tuple(
        _order(events, item, event)
        for item, event in events
        if isinstance(event, OrderSubmitting | OrderDeclined)
    )


def _order(events: Events, item: Told, begin: OrderSubmitting | OrderDeclined) -> OrderLine:
    mine = [
        (other, e)
        for other, e in events
        if getattr(e, "order_id", None) == begin.order_id
        and getattr(e, "account", None) == begin.account
    ]
    state, filled, text = OrderState.NEW, None, ""
    for _, event in mine:
        match event:
            case OrderDeclined() | OrderRefused():
                text = event.sentence
            case OrderInDoubt():
                text = event.cause
            case OrderFilled():
                filled = event
            case _:
                pass
        if not isinstance(event, OrderMatched | DiscrepancyFound | DealRecorded):
            state = next_state(state, event) or state  # type: ignore[arg-type]  # only orders are left
    asked = begin if isinstance(begin, OrderSubmitting) else None
    return OrderLine(
        order_id=begin.order_id,
        cause_id=begin.cause_id,
        account=begin.account,
        leg=begin.leg,
        part=begin.part,
        attempt=begin.attempt,
        symbol=begin.symbol,
        state=state.name.lower().replace("_", " "),
        effect=asked.effect.name.lower() if asked else "",
        side=asked.side.name.lower() if asked else "",
        quantity=asked.quantity if asked else None,
        intended_price=asked.intended_price if asked else None,
        filled_quantity=filled.filled_quantity if filled else Decimal(0),
        average_price=filled.average_price if filled else None,
        was_in_doubt=any(isinstance(e, OrderInDoubt) for _, e in mine),
        evidence=filled.evidence if filled else "",
        sentence=text,
        deal_ids=tuple(
            e.deal.deal_id
            for _, e in events
            if isinstance(e, DealRecorded)
            and (e.deal.order_id, e.account) == (begin.order_id, begin.account)
        ),
        match=next((e for _, e in mine if isinstance(e, OrderMatched)), None),
        hops=_hops(events, item, begin, mine),
    )


def _hops(
    events: Events, claim: Told, begin: OrderSubmitting | OrderDeclined, mine: Events
) -> tuple[Hop, ...]:
    """The stations of one order, as far as it came."""
    stations: list[tuple[str, int]] = []
    for item, event in events:
        if isinstance(event, SignalAccepted) and event.signal_id == begin.cause_id:
            stations.append(("signal received", event.received_at_ns))
            stations.append(("appended", item.appended_ns))
    for item, event in events:
        if (
            isinstance(event, VerdictGiven)
            and (event.cause_id, event.account) == (begin.cause_id, begin.account)
            and item.sequence < claim.sequence
        ):
            stations.append(("verdict", item.appended_ns))
    if isinstance(begin, OrderSubmitting):
        stations.append(("claimed", claim.appended_ns))
        stations.extend(_outcome(mine))
    if not stations:
        return ()
    start = last = stations[0][1]
    hops = []
    for name, at_ns in stations:
        hops.append(
            Hop(
                hop=name,
                at_ns=at_ns,
                ms=milliseconds(at_ns - last),
                total_ms=milliseconds(at_ns - start),
            )
        )
        last = at_ns
    return tuple(hops)


def _outcome(mine: Events) -> Iterable[tuple[str, int]]:
    """The node's stations, the first outcome on record, and the match."""
    outcomes = [
        (item, event)
        for item, event in mine
        if isinstance(event, OrderAcknowledged | OrderFilled | OrderRefused | OrderInDoubt)
    ]
    nodes = [event.hops for _, event in outcomes if not isinstance(event, OrderInDoubt)]
    hops = next((each for each in nodes if each.received_ns), Hops())
    for name, at_ns in (
        ("node received", hops.received_ns),
        ("journaled", hops.journaled_ns),
        ("called", hops.called_ns),
        ("returned", hops.returned_ns),
    ):
        if at_ns:
            yield name, at_ns
    if outcomes:
        yield "outcome appended", outcomes[0][0].appended_ns
    for item, event in mine:
        if isinstance(event, OrderMatched):
            yield "reconciled", item.appended_ns


def moments_of(told: Sequence[Told]) -> tuple[Moment, ...]:
    """Everything that entries of the log tell of, by time. `sequence` is that of log moments."""
    found: list[tuple[int, int, str, str, str, str]] = []
    for item in told:
        event = item.event
        if event is None:
            continue
        account = str(getattr(event, "account", ""))
        order = str(getattr(event, "order_id", "") or "")
        number = item.sequence
        if isinstance(event, SignalAccepted):
            if event.fired_at_ns:
                found.append((event.fired_at_ns, number, "sender", "alert fired", "", ""))
            at_ns = event.received_at_ns
            found.append((at_ns, number, "gateway", "received by the gateway", "", ""))
        if isinstance(event, OrderAcknowledged | OrderFilled | OrderRefused):
            for at_ns, what in (
                (event.hops.received_ns, "submission received by the node"),
                (event.hops.journaled_ns, "journaled by the node"),
                (event.hops.called_ns, "venue called"),
                (event.hops.returned_ns, "venue answered"),
            ):
                if at_ns:
                    found.append((at_ns, number, "node", what, account, order))
        if isinstance(event, DealRecorded):
            at_ns = event.deal.venue_time_ns
            order = str(event.deal.order_id or "")
            found.append((at_ns, number, "venue", "executed", account, order))
        found.append((item.appended_ns, number, "log", sentence(event), account, order))
    found.sort(key=lambda each: (each[0], each[1]))
    start = last = found[0][0] if found else 0
    moments = []
    for at_ns, sequence, clock, what, account, order in found:
        moments.append(
            Moment(
                at_ns=at_ns,
                clock=clock,
                what=what,
                since_start_ms=milliseconds(at_ns - start),
                delta_ms=milliseconds(at_ns - last),
                sequence=sequence if clock == "log" else 0,
                account=account,
                order_id=order,
            )
        )
        last = at_ns
    return tuple(moments)
