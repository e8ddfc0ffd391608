"""The life of one order, as a table.

An order is one attempt at one leg of one trade on one account, at one venue. It exists from the
moment `OrderSubmitting` is on record: nothing leaves for a venue before that. Event n of an order
is written to `order.<account>.<order_id>.<n>`; n = 1 is `OrderSubmitting` or `OrderDeclined`, and
both carry the same once-only id, so that one excludes the other.

    SUBMITTING       on record, perhaps sent, no outcome yet
    WORKING          the venue has it, nothing filled
    PARTLY_FILLED    some of it is filled and the rest may still be
    FILLED           done: nothing more can fill (all of it, or a part and the rest is cancelled)
    REFUSED          the venue or its node said no, explicitly
    IN_DOUBT         nobody knows. Keeps its exposure, blocks new risk, left only by evidence
    PRESUMED_ABSENT  sealed, settled, two passes without a trace: exposure kept, watched for a day
    ABSENT           proven never to have been sent, or watched long enough
    DECLINED         never submitted: the intent went stale, late, or was barred first

A row that is absent is illegal. Late evidence has rows of its own, marked `late`: venues do report
fills after a refusal or an absence, and a fill is always believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Account, OrderId, SignalId, Strategy, Symbol, TradeId
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect


class OrderState(Enum):
    NEW = 1
    SUBMITTING = 2
    WORKING = 3
    PARTLY_FILLED = 4
    FILLED = 5
    REFUSED = 6
    IN_DOUBT = 7
    PRESUMED_ABSENT = 8
    ABSENT = 9
    DECLINED = 10


class RefusalClass(Enum):
    """What kind of no it was; the retry table is keyed by it."""

    FINAL = 1  # invalid, not allowed, no such symbol: never retried
    NO_MONEY = 2  # insufficient funds: never retried, a person must look
    REQUOTE = 3  # the price moved: again with a fresh price
    RATE_LIMIT = 4
    VENUE_ERROR = 5  # an explicit refusal for the venue's own reasons
    MARKET_CLOSED = 6
    NODE_GATE = 7  # our own node refused before the venue was asked
    NOTHING_TO_CLOSE = 8  # the position is gone already: good news for an exit


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSubmitting:
    """The claim: whoever holds a fresh ack for this very append may send, once.

    `position_ref` is the venue's position id for a CLOSE on a hedging account. No call to the venue
    may begin after `deadline_ns`. `lease` is the nonce of the lease an OPEN relies on, empty for a
    CLOSE. `tag` and `magic` are what the venue will carry for us.
    """

    order_id: OrderId
    account: Account
    trade_id: TradeId
    cause_id: SignalId
    strategy: Strategy
    bot_version: str
    leg: int
    part: int
    attempt: int
    symbol: Symbol
    venue_symbol: str
    side: Side
    effect: Effect
    quantity: Decimal
    deadline_ns: int
    control_sequence: int
    epoch: int
    lease: str
    tag: str
    magic: int
    writer: str
    claimed_at_ns: int
    verdict_sequence: int
    position_ref: str = ""
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    intended_price: Decimal | None = None
    trace_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDeclined:
    """This attempt will never be submitted; its leg is over. Excludes OrderSubmitting."""

    order_id: OrderId
    account: Account
    trade_id: TradeId
    cause_id: SignalId
    symbol: Symbol
    leg: int
    part: int
    attempt: int
    code: str
    sentence: str
    declined_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    """When one submission passed where; node's clock, nanoseconds, 0 if it did not get there."""

    received_ns: int = 0
    journaled_ns: int = 0
    called_ns: int = 0
    returned_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAcknowledged:
    """The venue has the order; fills follow."""

    order_id: OrderId
    account: Account
    venue_order_id: str
    at_ns: int
    hops: Hops = Hops()
    evidence: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """`filled_quantity` and `average_price` are cumulative. `done`: nothing more can fill.

    `evidence`: `answer` (the venue's own reply), `deals`, or what adopted it from doubt: `tag`,
    `ticket`, `fingerprint`, `journal`.
    """

    order_id: OrderId
    account: Account
    venue_order_id: str
    venue_position_id: str
    filled_quantity: Decimal
    average_price: Decimal
    done: bool
    evidence: str
    at_ns: int
    hops: Hops = Hops()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """An explicit no. `by_node`: our own last hop refused, the venue was never asked."""

    order_id: OrderId
    account: Account
    refusal: RefusalClass
    code: str
    sentence: str
    by_node: bool
    at_ns: int
    hops: Hops = Hops()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInDoubt:
    """Nobody knows what became of it; `cause` says why."""

    order_id: OrderId
    account: Account
    cause: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSealed:
    """The node will never send this id from now on. `never_sent`: it never did."""

    order_id: OrderId
    account: Account
    never_sent: bool
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPresumedAbsent:
    """Sealed, settled, and two agreeing passes over a connected venue found nothing.

    With fewer passes: a person has said so, by resolving the order's discrepancy.
    """

    order_id: OrderId
    account: Account
    passes: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAbsent:
    """Proven: sealed before it was ever sent, or presumed absent and watched to the end."""

    order_id: OrderId
    account: Account
    why: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitTurn:
    """Whose turn it is to close what an order cannot limit itself to.

    On a netting or spot account a second order to the same end would go on past zero. So a claim of
    such an exit is one batch with this, on one literal subject per account with a head condition:
    of two bridges that claim at once, one is refused, folds the other's claim and waits for it.
    """

    account: Account
    order_id: OrderId
    symbol: Symbol
    claimed_at_ns: int


OrderEvent = (
    OrderSubmitting
    | OrderDeclined
    | OrderAcknowledged
    | OrderFilled
    | OrderRefused
    | OrderInDoubt
    | OrderSealed
    | OrderPresumedAbsent
    | OrderAbsent
)


class Kind(Enum):
    """An order event as the table sees it."""

    SUBMITTING = 1
    DECLINED = 2
    ACKNOWLEDGED = 3
    PART = 4
    DONE = 5
    REFUSED = 6
    IN_DOUBT = 7
    SEALED = 8
    PRESUMED_ABSENT = 9
    ABSENT = 10


S = OrderState
K = Kind
TABLE: dict[tuple[OrderState, Kind], OrderState] = {
    (S.NEW, K.SUBMITTING): S.SUBMITTING,
    (S.NEW, K.DECLINED): S.DECLINED,
    (S.SUBMITTING, K.ACKNOWLEDGED): S.WORKING,
    (S.SUBMITTING, K.PART): S.PARTLY_FILLED,
    (S.SUBMITTING, K.DONE): S.FILLED,
    (S.SUBMITTING, K.REFUSED): S.REFUSED,
    (S.SUBMITTING, K.IN_DOUBT): S.IN_DOUBT,
    (S.WORKING, K.PART): S.PARTLY_FILLED,
    (S.WORKING, K.DONE): S.FILLED,
    (S.WORKING, K.REFUSED): S.REFUSED,  # the venue may take back what it had accepted
    (S.PARTLY_FILLED, K.PART): S.PARTLY_FILLED,
    (S.PARTLY_FILLED, K.DONE): S.FILLED,
    # Evidence is the only way out of doubt: found working, found filled, refused for certain,
    # or sealed; a seal alone leaves it in doubt until it is settled.
    (S.IN_DOUBT, K.ACKNOWLEDGED): S.WORKING,
    (S.IN_DOUBT, K.PART): S.PARTLY_FILLED,
    (S.IN_DOUBT, K.DONE): S.FILLED,
    (S.IN_DOUBT, K.REFUSED): S.REFUSED,
    (S.IN_DOUBT, K.SEALED): S.IN_DOUBT,
    (S.IN_DOUBT, K.PRESUMED_ABSENT): S.PRESUMED_ABSENT,
    (S.IN_DOUBT, K.ABSENT): S.ABSENT,
    (S.PRESUMED_ABSENT, K.ABSENT): S.ABSENT,
    # late: the venue reports a fill after all. A fill is always believed, and alarmed.
    (S.PRESUMED_ABSENT, K.ACKNOWLEDGED): S.WORKING,
    (S.PRESUMED_ABSENT, K.PART): S.PARTLY_FILLED,
    (S.PRESUMED_ABSENT, K.DONE): S.FILLED,
    (S.ABSENT, K.PART): S.PARTLY_FILLED,
    (S.ABSENT, K.DONE): S.FILLED,
    (S.REFUSED, K.PART): S.PARTLY_FILLED,
    (S.REFUSED, K.DONE): S.FILLED,
    # late: more deals than the reply had counted, on an order thought done.
    (S.FILLED, K.DONE): S.FILLED,
}

LATE: frozenset[OrderState] = frozenset({S.PRESUMED_ABSENT, S.ABSENT, S.REFUSED})
"""Filling out of one of these is believed and alarmed."""

UNRESOLVED: frozenset[OrderState] = frozenset({S.SUBMITTING, S.IN_DOUBT})
"""While an order is one of these its account and symbol take no new risk."""

LIVE: frozenset[OrderState] = frozenset(
    {S.SUBMITTING, S.WORKING, S.PARTLY_FILLED, S.IN_DOUBT, S.PRESUMED_ABSENT}
)
"""The venue may hold or fill such an order: its exposure stays reserved."""

ENDED: frozenset[OrderState] = frozenset({S.FILLED, S.REFUSED, S.ABSENT, S.DECLINED})


def kind_of(event: OrderEvent) -> Kind:
    """Which column of the table an event belongs to."""
    match event:
        case OrderFilled():
            return Kind.DONE if event.done else Kind.PART
        case _:
            return _KINDS[type(event)]


_KINDS: dict[type, Kind] = {
    OrderSubmitting: Kind.SUBMITTING,
    OrderDeclined: Kind.DECLINED,
    OrderAcknowledged: Kind.ACKNOWLEDGED,
    OrderRefused: Kind.REFUSED,
    OrderInDoubt: Kind.IN_DOUBT,
    OrderSealed: Kind.SEALED,
    OrderPresumedAbsent: Kind.PRESUMED_ABSENT,
    OrderAbsent: Kind.ABSENT,
}


def next_state(state: OrderState, event: OrderEvent) -> OrderState | None:
    """The state after the event, or None if the table has no such row."""
    return TABLE.get((state, kind_of(event)))
