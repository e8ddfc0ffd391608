"""What to do about an order of which nobody knows what became, until evidence ends it.

    order                     state of the inquiry          next
    IN_DOUBT, not sealed      nothing asked                 FIND
                              a search found nothing        SEAL
    IN_DOUBT, never sent      the seal says so              conclude: absent
    IN_DOUBT, was sent        not settled, or pass missing  FIND, after the settling time
                              two agreeing passes, or a     conclude: presumed absent
                              person's word on record
    PRESUMED_ABSENT           watched                       FIND, every 5 s, later every 30 s
                              a search past the watch       conclude: absent
    WORKING, PARTLY_FILLED    no deal for a while           FIND, every 30 s

Rules:
1. A search is a pass only if it is conclusive, begun after the settling time, and at least a
   quarter of that after the pass before. The settling time counts from when this process first saw
   the seal on record, on its own monotonic clock: clocks that differ or jump cannot shorten it.
2. Whatever is found is adopted at once, at any time; what the node's journal holds as the venue's
   answer counts as found, a refusal too.
3. That it was never sent only the node can say for which it was claimed. If the account has moved
   to another node since, it counts as sent: it is settled and searched for.
4. What stays ambiguous at the venue only a person can judge. Who resolves the discrepancy of an
   order in doubt takes the place of the two passes: not of the seal, nor of the settling time. It
   is presumed absent then as any other: watched, and adopted if it shows after all.
5. A node that cannot answer, a seal that is not one yet, and a search that proves nothing are asked
   for again, each time a little later. Time alone concludes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from argos_common.domain.book import OrderView
from argos_common.domain.ids import OrderId
from argos_common.domain.node import Evidence, Question, Seal
from argos_common.domain.order import (
    Hops,
    OrderAbsent,
    OrderAcknowledged,
    OrderEvent,
    OrderFilled,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSealed,
    OrderState,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.times import NS_PER_S

from argos_bridge.core.outcome import of_outcome, says_more
from argos_bridge.core.state import AccountState

BACKOFF_NS = tuple(s * NS_PER_S // 4 for s in (1, 2, 4, 8, 20, 40, 80, 120))
WATCH_CLOSE_NS = 5 * NS_PER_S
WATCH_CLOSE_FOR_NS = 60 * NS_PER_S
WATCH_NS = 30 * NS_PER_S
PASSES = 2


class Do(Enum):
    FIND = 1
    SEAL = 2
    ABSENT = 3
    PRESUME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What this process has done about one order in one of its states. Times are monotonic.

    `searched`: a search found nothing since. `settled_from_ns`: when the seal was first seen.
    """

    order_id: OrderId
    state: OrderState
    begun_ns: int
    next_ns: int
    failures: int = 0
    searched: bool = False
    settled_from_ns: int | None = None
    passes: int = 0
    last_pass_ns: int = 0


def begin(order: OrderView, known: Inquiry | None, mono_ns: int) -> Inquiry:
    """The inquiry for the order as it is now: the known one, or a new one for a new state."""
    if known is None or known.state is not order.state:
        resting = order.state in (OrderState.WORKING, OrderState.PARTLY_FILLED)
        first_ns = mono_ns + (WATCH_NS if resting else 0)
        known = Inquiry(
            order_id=order.order_id, state=order.state, begun_ns=mono_ns, next_ns=first_ns
        )
    if order.sealed and known.settled_from_ns is None:
        known = replace(known, settled_from_ns=mono_ns, passes=0)
    return known


def next_do(
    state: AccountState, order: OrderView, inquiry: Inquiry, mono_ns: int
) -> Do | int | None:
    """What to do now; or when to look again (monotonic); or None: nothing is doubtful here."""
    if order.state not in (
        OrderState.IN_DOUBT,
        OrderState.PRESUMED_ABSENT,
        OrderState.WORKING,
        OrderState.PARTLY_FILLED,
    ):
        return None
    if order.state is OrderState.IN_DOUBT and order.sealed:
        if order.never_sent:
            return Do.ABSENT
        settled = order.order_id in state.settled and mono_ns >= _pass_from_ns(state, inquiry)
        if inquiry.passes >= PASSES or settled:
            return Do.PRESUME
        at_ns = max(inquiry.next_ns, _pass_from_ns(state, inquiry))
        return Do.FIND if mono_ns >= at_ns else at_ns
    if mono_ns < inquiry.next_ns:
        return inquiry.next_ns
    if order.state is OrderState.IN_DOUBT and inquiry.searched:
        return Do.SEAL
    return Do.FIND


def question(state: AccountState, submitting: OrderSubmitting) -> Question:
    """What to search for."""
    return Question(
        order_id=submitting.order_id,
        account=state.account,
        symbol=submitting.symbol,
        venue_symbol=submitting.venue_symbol,
        side=submitting.side,
        effect=submitting.effect,
        quantity=submitting.quantity,
        since_ns=submitting.claimed_at_ns,
        tag=submitting.tag,
        magic=submitting.magic,
        position_ref=submitting.position_ref,
    )


def failed(inquiry: Inquiry, mono_ns: int) -> Inquiry:
    """The node could not answer."""
    pause_ns = BACKOFF_NS[min(inquiry.failures, len(BACKOFF_NS) - 1)]
    return replace(inquiry, failures=inquiry.failures + 1, next_ns=mono_ns + pause_ns)


def of_evidence(
    state: AccountState,
    order: OrderView,
    inquiry: Inquiry,
    evidence: Evidence,
    *,
    asked_ns: int,
    mono_ns: int,
    now_ns: int,
) -> tuple[Inquiry, OrderEvent | None]:
    """Take the result of a search begun at `asked_ns` (monotonic). `now_ns` is wall clock."""
    event = _adopt(state, order, evidence, now_ns)
    if event is not None:
        return replace(inquiry, next_ns=mono_ns, failures=0), event
    if evidence.found:
        # Known already: a resting order that still rests.
        return replace(inquiry, next_ns=mono_ns + WATCH_NS, failures=0), None
    if not evidence.conclusive:
        again = failed(inquiry, mono_ns)
        sealing = order.state is OrderState.IN_DOUBT and not order.sealed
        # A seal asks nothing of the venue, and takes no harm from a search that proved nothing.
        return (replace(again, searched=True, next_ns=mono_ns) if sealing else again), None
    inquiry = replace(inquiry, failures=0, searched=True, next_ns=mono_ns + WATCH_NS)
    match order.state:
        case OrderState.IN_DOUBT if not order.sealed:
            return replace(inquiry, next_ns=mono_ns), None
        case OrderState.IN_DOUBT:
            if asked_ns >= _pass_from_ns(state, inquiry):
                inquiry = replace(inquiry, passes=inquiry.passes + 1, last_pass_ns=asked_ns)
            return replace(inquiry, next_ns=mono_ns), None
        case OrderState.PRESUMED_ABSENT:
            watch_ns = state.config.watch_ns if state.config else None
            if watch_ns is not None and now_ns >= order.changed_at_ns + watch_ns:
                return inquiry, _absent(state, order, "watched to the end", now_ns)
            if mono_ns < inquiry.begun_ns + WATCH_CLOSE_FOR_NS:
                inquiry = replace(inquiry, next_ns=mono_ns + WATCH_CLOSE_NS)
        case _:
            pass
    return inquiry, None


def of_seal(
    state: AccountState, order: OrderView, inquiry: Inquiry, seal: Seal, mono_ns: int, now_ns: int
) -> tuple[Inquiry, OrderEvent | None]:
    """Take the answer to a request to seal."""
    if not seal.sealed:
        # The call may still be running: what it does can be found, so search again first.
        return replace(failed(inquiry, mono_ns), searched=False), None
    # The journal of one node does not know what another one sent before the account moved here.
    moved = order.submitting is None or order.submitting.control_sequence < state.node_sequence
    event = OrderSealed(
        order_id=order.order_id,
        account=state.account,
        never_sent=seal.never_sent and not moved,
        at_ns=now_ns,
    )
    return inquiry, event if says_more(order, event) else None


def conclude(
    state: AccountState, order: OrderView, inquiry: Inquiry, do: Do, now_ns: int
) -> OrderEvent:
    """The event for Do.ABSENT or Do.PRESUME."""
    if do is Do.ABSENT:
        return _absent(state, order, "sealed before it was ever sent", now_ns)
    return OrderPresumedAbsent(
        order_id=order.order_id, account=state.account, passes=inquiry.passes, at_ns=now_ns
    )


def _absent(state: AccountState, order: OrderView, why: str, now_ns: int) -> OrderAbsent:
    return OrderAbsent(order_id=order.order_id, account=state.account, why=why, at_ns=now_ns)


def _pass_from_ns(state: AccountState, inquiry: Inquiry) -> int:
    """Before this moment a search is no pass."""
    settling_ns = state.config.settling_ns if state.config else 60 * NS_PER_S
    from_ns = (inquiry.settled_from_ns or inquiry.begun_ns) + settling_ns
    if inquiry.passes:
        from_ns = max(from_ns, inquiry.last_pass_ns + settling_ns // 4)
    return from_ns


def _adopt(
    state: AccountState, order: OrderView, evidence: Evidence, now_ns: int
) -> OrderEvent | None:
    """The event that what was found makes of the order, or None."""
    hops = evidence.outcome.hops if evidence.outcome else Hops()
    event: OrderEvent | None = None
    if evidence.found and (evidence.filled_quantity > 0 or order.filled_quantity > 0):
        event = OrderFilled(
            order_id=order.order_id,
            account=state.account,
            venue_order_id=evidence.venue_order_id,
            venue_position_id=evidence.venue_position_id,
            filled_quantity=max(evidence.filled_quantity, order.filled_quantity),
            average_price=evidence.average_price
            if evidence.filled_quantity
            else order.average_price,
            done=evidence.done,
            evidence=evidence.method,
            at_ns=now_ns,
            hops=hops,
        )
    elif evidence.found and evidence.done:
        event = OrderRefused(
            order_id=order.order_id,
            account=state.account,
            refusal=RefusalClass.VENUE_ERROR,
            code="cancelled",
            sentence="the venue ended the order without filling any of it",
            by_node=False,
            at_ns=now_ns,
            hops=hops,
        )
    elif evidence.found:
        event = OrderAcknowledged(
            order_id=order.order_id,
            account=state.account,
            venue_order_id=evidence.venue_order_id,
            at_ns=now_ns,
            hops=hops,
            evidence=evidence.method,
        )
    elif evidence.outcome is not None:
        event = of_outcome(state, order, evidence.outcome, now_ns, "journal")
    return event if event is not None and says_more(order, event) else None
