"""What a bridge and a reconciler say to a venue node, and what it answers. Venue-neutral.

Every node speaks this and nothing else; MetaTrader's words stay in one, an exchange's in another.
A `Submission` names everything the last hop needs to refuse it: its deadline (wall clock, and as a
budget from receipt, so that clock skew cannot revive it), the epoch it was claimed under, and the
lease it relies on.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from argos_common.domain.ids import Account, OrderId, Strategy, Symbol
from argos_common.domain.instrument import AccountKind, Instrument
from argos_common.domain.order import Hops, RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, Quote, VenuePosition
from argos_common.domain.verdict import Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One order on its way to a venue. `budget_ns` counts from receipt on the node's own clock.

    `claim`: the claim's bytes as they stand on record; the node only keeps them, for a log that has
    lost them.
    """

    order_id: OrderId
    account: Account
    strategy: Strategy
    symbol: Symbol
    venue_symbol: str
    side: Side
    effect: Effect
    quantity: Decimal
    deadline_ns: int
    budget_ns: int
    epoch: int
    lease: str
    tag: str
    magic: int
    position_ref: str = ""
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    trace_parent: str = ""
    claim: bytes = b""


class Result(Enum):
    """DONE: nothing more can fill. ACCEPTED: the venue has it, fills follow."""

    DONE = 1
    ACCEPTED = 2
    REFUSED = 3
    IN_DOUBT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a submission, as far as the node knows.

    DONE: `filled_quantity` (may be less than asked: the rest is cancelled) at `average_price`.
    REFUSED: `refusal`, `code`, `sentence`; `by_node` if the venue was never asked.
    IN_DOUBT: `sentence` says why nobody knows.
    """

    order_id: OrderId
    result: Result
    venue_order_id: str = ""
    venue_position_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    refusal: RefusalClass | None = None
    code: str = ""
    sentence: str = ""
    by_node: bool = False
    hops: Hops = Hops()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Is there any trace of this order at the venue? Enough facts to search by tag or fingerprint.

    `since_ns` is when the order was claimed (wall clock); nothing of it can be older.
    """

    order_id: OrderId
    account: Account
    symbol: Symbol
    venue_symbol: str
    side: Side
    effect: Effect
    quantity: Decimal
    since_ns: int
    tag: str
    magic: int
    position_ref: str = ""


class Journaled(Enum):
    """What the node's own journal says of an id."""

    NOTHING = 1  # never heard of it
    REFUSED = 2  # refused, and never to be sent
    SENDING = 3  # the call was begun; no answer is on record
    ANSWERED = 4  # the venue's answer is on record
    SEALED = 5  # tombstoned before it was ever sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the node can find of one order.

    `conclusive`: the venue was connected, its history complete and current, so that finding nothing
    counts as one pass. `found` with `method` `tag`, `ticket`, `fingerprint` or `journal`; `done`
    says that nothing more can fill. `journal` and `outcome` come from the node's own record.
    """

    order_id: OrderId
    conclusive: bool
    found: bool
    journal: Journaled
    as_of_ns: int
    method: str = ""
    working: bool = False
    done: bool = False
    venue_order_id: str = ""
    venue_position_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    outcome: Outcome | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """From now on the node will never begin to send this id.

    `sealed` is False while a call for it may still be running. `never_sent`: it never was.
    """

    order_id: OrderId
    sealed: bool
    never_sent: bool
    at_ns: int
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingOrder:
    """An order that rests at the venue."""

    venue_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    order_id: OrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBalance:
    """What a spot account holds of one asset."""

    asset: str
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """The account in passing: what a decision needs and no log records.

    `ready`: connected, logged in as expected, trading allowed; `reason` says why not.
    Money in `currency`. `node_time_ns` is the node's wall clock.
    """

    account: Account
    kind: AccountKind
    node_time_ns: int
    ready: bool
    reason: str
    currency: str
    equity: Decimal
    balance: Decimal
    quotes: tuple[Quote, ...] = ()
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The account as the venue shows it at one moment. `complete` False: do not compare with it.

    On a SPOT account `positions` is empty and `balances` says what is held.
    """

    facts: AccountFacts
    complete: bool
    positions: tuple[VenuePosition, ...]
    working_orders: tuple[WorkingOrder, ...]
    balances: tuple[AssetBalance, ...]
    epoch: int
    incarnation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueEvent:
    """One message of a node's event stream: a deal, or facts in passing.

    `sequence` counts by one within an incarnation of the node; `resync` marks the first message
    after the node had to start over, before which deals may be repeated.
    """

    sequence: int
    incarnation: str
    resync: bool = False
    deal: Deal | None = None
    facts: AccountFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deals:
    """Deals since a time, oldest first. `complete` False: there may be more that is not visible yet."""

    deals: tuple[Deal, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAsk:
    """A node asks whether new risk may start on an account. It counts the lease from this moment."""

    account: Account
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAnswer:
    """Risk's answer to one nonce. `epoch` is remembered by the node for good, granted or not."""

    account: Account
    nonce: str
    granted: bool
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKept:
    """The epoch the node now remembers for good, which is at least the one it was asked to."""

    account: Account
    epoch: int
    node_time_ns: int


class CommandKind(Enum):
    KILL = 1
    RELEASE = 2
    FLATTEN = 3
    APPROVE_CONFIG = 4
    RESOLVE_DISCREPANCY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An operator's order to risk. `accounts` empty: the whole fleet."""

    kind: CommandKind
    actor: str
    reason: str
    request_id: str
    asked_at_ns: int
    accounts: tuple[str, ...] = ()
    symbol: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandReply:
    """What risk did about a command: a sentence, and the log positions it wrote."""

    ok: bool
    sentence: str
    sequences: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A service is alive. `sequence` is the last log entry it has folded; `lag` how many are left."""

    service: str
    incarnation: str
    at_ns: int
    state: str
    sequence: int
    detail: str = ""
    account: str = ""
