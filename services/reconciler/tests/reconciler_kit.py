"""Events with defaults, a log of them, and a venue: what the tests of the reconciler are written in.

The account is `demo`: hedging, USD, EURUSD at 1.1000/1.1002, one lot is 100,000. A `Tape` is a log
in memory: `tape.says(event)` appends the next entry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from argos_common.domain.config import AccountConfig, Limits
from argos_common.domain.control import ConfigApplied
from argos_common.domain.event import Event
from argos_common.domain.ids import (
    Account,
    OrderId,
    SignalId,
    Source,
    TradeId,
    external_trade_id,
    magic,
    order_id,
    signal_id,
    tag,
)
from argos_common.domain.instrument import AccountKind, Instrument
from argos_common.domain.node import (
    AccountFacts,
    AssetBalance,
    Deals,
    EpochKept,
    Evidence,
    LeaseAnswer,
    LeaseAsk,
    Outcome,
    Question,
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
    WorkingOrder,
)
from argos_common.domain.order import Hops, OrderFilled, OrderSubmitting
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.domain.venue import (
    Deal,
    DealEntry,
    DealReason,
    DealRecorded,
    VenuePosition,
)
from argos_common.domain.verdict import (
    Change,
    Decision,
    Effect,
    Facts,
    Leg,
    Origin,
    RuleResult,
    VerdictGiven,
)
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.runtime.log import Entry
from argos_common.runtime.settings import account_document
from argos_common.testing import builders
from argos_common.wire import codec, subjects
from argos_reconciler.core.rows import Item

D = Decimal
MS = 1_000_000
SECOND = 1_000_000_000
ONE = D(1)
NOW = 1_800_000_000 * SECOND
DEMO, EURUSD, TREND = builders.DEMO, builders.EURUSD, builders.TREND
INSTRUMENT = builders.INSTRUMENT

CONFIG = builders.account_config(
    Limits(
        order_quantity_max=D(5),
        order_value_max=D(500000),
        open_positions_max=10,
        daily_loss_max=D(5000),
        account_value_max=D(1000000),
        risk_percent_max=D(2),
    ),
    node="mt5",
)


def configured(config: AccountConfig = CONFIG) -> ConfigApplied:
    document = account_document(config)
    return ConfigApplied(
        account=config.account,
        config_hash=document.config_hash,
        document=document.document,
        tightening=False,
        actor="test",
        reason="start",
        asked_at_ns=NOW,
    )


def signal(number: int = 1, at_ns: int = NOW) -> SignalAccepted:
    return SignalAccepted(
        signal_id=signal_id("tradingview", str(number)),
        source=Source("tradingview"),
        strategy=TREND,
        bot_version="trend-1",
        symbol=EURUSD,
        action=Action.ENTER,
        received_at_ns=at_ns,
        content_hash="00",
        dialect="tradingview",
        raw="{}",
        side=Side.BUY,
        fired_at_ns=at_ns - 50 * MS,
    )


def verdict(cause: SignalId, legs: tuple[Leg, ...], at_ns: int = NOW) -> VerdictGiven:
    return VerdictGiven(
        account=DEMO,
        cause_id=cause,
        origin=Origin.SIGNAL,
        strategy=TREND,
        bot_version="trend-1",
        symbol=EURUSD,
        decision=Decision.APPROVED if legs else Decision.REFUSED,
        change=Change.ENTRY,
        reason="all rules passed" if legs else "the volume is above the limit",
        legs=legs,
        rules=(
            RuleResult(
                rule="volume", passed=bool(legs), value="1", limit="5", sentence="1 of at most 5"
            ),
        ),
        facts=Facts(now_ns=at_ns + MS, bid=D("1.1"), ask=D("1.1002"), instrument=INSTRUMENT),
        config_hash="00",
        control_sequence=1,
        epoch=1,
        folded_sequence=1,
        trade_id=legs[0].trade_id if legs else None,
    )


def leg(
    trade: TradeId, number: int = 1, side: Side = Side.BUY, effect: Effect = Effect.OPEN
) -> Leg:
    return Leg(
        leg=number,
        trade_id=trade,
        effect=effect,
        side=side,
        quantity=D(1),
        deadline_ns=NOW + 10 * SECOND,
        close_all=effect is Effect.CLOSE,
        stop_price=D("1.09") if effect is Effect.OPEN else None,
    )


def oid(trade: str, number: int = 1, attempt: int = 1) -> OrderId:
    return order_id(trade, DEMO, f"{number}.1", attempt)


def submitting(
    trade: TradeId,
    number: int = 1,
    side: Side = Side.BUY,
    effect: Effect = Effect.OPEN,
    at_ns: int = NOW + 2 * MS,
    quantity: Decimal = ONE,
    position: str = "",
) -> OrderSubmitting:
    name = oid(trade, number)
    return OrderSubmitting(
        order_id=name,
        account=DEMO,
        trade_id=trade,
        cause_id=SignalId(trade),
        strategy=TREND,
        bot_version="trend-1",
        leg=number,
        part=1,
        attempt=1,
        symbol=EURUSD,
        venue_symbol="EURUSD",
        side=side,
        effect=effect,
        quantity=quantity,
        deadline_ns=at_ns + 5 * SECOND,
        control_sequence=1,
        epoch=1,
        lease="n",
        tag=tag(name),
        magic=magic(name, TREND),
        writer="w",
        claimed_at_ns=at_ns,
        verdict_sequence=2,
        position_ref=position,
        intended_price=D("1.1002") if side is Side.BUY else D("1.1"),
    )


def filled(
    asked: OrderSubmitting,
    price: str = "1.1003",
    quantity: Decimal | None = None,
    *,
    done: bool = True,
    venue_order: str = "v1",
    position: str = "p1",
) -> OrderFilled:
    at_ns = asked.claimed_at_ns
    return OrderFilled(
        order_id=asked.order_id,
        account=DEMO,
        venue_order_id=venue_order,
        venue_position_id=asked.position_ref or position,
        filled_quantity=asked.quantity if quantity is None else quantity,
        average_price=D(price),
        done=done,
        evidence="answer",
        at_ns=at_ns + 12 * MS,
        hops=Hops(
            received_ns=at_ns + MS,
            journaled_ns=at_ns + 2 * MS,
            called_ns=at_ns + 3 * MS,
            returned_ns=at_ns + 10 * MS,
        ),
    )


def deal(
    asked: OrderSubmitting,
    name: str = "d1",
    price: str = "1.1003",
    quantity: Decimal | None = None,
    *,
    tagged: bool = True,
    venue_order: str = "v1",
    position: str = "p1",
    reason: DealReason = DealReason.OURS,
) -> Deal:
    amount = asked.quantity if quantity is None else quantity
    return builders.deal(
        name,
        amount,
        asked.side,
        D(price),
        at_ns=asked.claimed_at_ns + 8 * MS,
        order_id=asked.order_id if tagged else None,
        venue_order_id=venue_order,
        position=asked.position_ref or position,
        entry=DealEntry.IN if asked.effect is Effect.OPEN else DealEntry.OUT,
        reason=reason,
        commission=D("-3.5"),
        symbol=asked.symbol,
    )


def recorded(
    deal_: Deal, trade: TradeId, how: str = "tag", *, external: bool = False
) -> DealRecorded:
    return DealRecorded(
        account=DEMO,
        deal=deal_,
        trade_id=trade,
        how=how,
        external=external,
        recorded_at_ns=deal_.venue_time_ns + MS,
    )


def foreign(quantity: str = "2", position: str = "p9") -> DealRecorded:
    """A deal of a position that nobody here opened."""
    trade = external_trade_id(DEMO, position)
    made = deal(
        submitting(trade),
        name=f"d-{position}",
        quantity=D(quantity),
        tagged=False,
        venue_order="v9",
        position=position,
        reason=DealReason.MANUAL,
    )
    return recorded(made, trade, "external", external=True)


def entry_story(number: int = 1, at_ns: int = NOW) -> list[Event]:
    """A signal, its verdict, one order, its fill and its deal."""
    came = signal(number, at_ns)
    trade = TradeId(came.signal_id)
    asked = submitting(trade, at_ns=at_ns + 2 * MS)
    venue_order, position = f"v{number}", f"p{number}"
    made = deal(asked, name=f"d{number}", venue_order=venue_order, position=position)
    return [
        came,
        verdict(came.signal_id, (leg(trade),), at_ns),
        asked,
        filled(asked, venue_order=venue_order, position=position),
        recorded(made, trade),
    ]


@dataclass(slots=True)
class Tape:
    """A log in memory, for what needs no answers. Entries are a millisecond apart."""

    entries: list[Entry] = field(default_factory=list)
    events: list[Event | None] = field(default_factory=list)

    def says(self, *events: Event) -> Tape:
        for event in events:
            self._add(subjects.PREFIX + f"test.{len(self.entries)}", codec.encode(event), event)
        return self

    def garbage(self) -> Tape:
        self._add(subjects.PREFIX + "alert.garbage", b"\xff\xff", None)
        return self

    def _add(self, subject: str, data: bytes, event: Event | None) -> None:
        number = len(self.entries) + 1
        at_ns = NOW + number * MS
        entry = Entry(sequence=number, subject=subject, data=data, appended_ns=at_ns)
        self.entries.append(entry)
        self.events.append(event)

    def items(self) -> list[Item]:
        return [
            Item(e.sequence, e.subject, e.appended_ns, e.data, event)
            for e, event in zip(self.entries, self.events, strict=True)
        ]


def snapshot(
    *positions: VenuePosition,
    orders: tuple[WorkingOrder, ...] = (),
    balances: tuple[AssetBalance, ...] = (),
    kind: AccountKind = AccountKind.HEDGING,
    instruments: tuple[Instrument, ...] = (INSTRUMENT,),
) -> Snapshot:
    return Snapshot(
        facts=AccountFacts(
            account=DEMO,
            kind=kind,
            node_time_ns=NOW,
            ready=True,
            reason="",
            currency="USD",
            equity=D(100000),
            balance=D(100000),
            instruments=instruments,
        ),
        complete=True,
        positions=positions,
        working_orders=orders,
        balances=balances,
        epoch=1,
        incarnation="i",
    )


def position(name: str = "p1", quantity: str = "1") -> VenuePosition:
    return VenuePosition(
        venue_position_id=name,
        symbol=EURUSD,
        venue_symbol="EURUSD",
        quantity=D(quantity),
        price_open=D("1.1003"),
    )


@dataclass(slots=True)
class StandIn:
    """Implements `Node` for a reader: a snapshot and a list of deals, or nothing at all."""

    shown: Snapshot = field(default_factory=snapshot)
    listed: list[Deal] = field(default_factory=list)
    away: bool = False

    def shows(self, *positions: VenuePosition) -> None:
        self.shown = replace(self.shown, positions=positions)

    async def snapshot(self, account: Account) -> Snapshot:
        self._here()
        return self.shown

    async def deals(self, account: Account, since_ns: int) -> Deals:
        self._here()
        kept = tuple(deal for deal in self.listed if deal.venue_time_ns >= since_ns)
        return Deals(deals=kept, complete=True)

    def _here(self) -> None:
        if self.away:
            raise NodeUnavailable("the node is away")

    async def submit(self, submission: Submission) -> Outcome:
        raise AssertionError("a reconciler places no orders")

    async def find(self, question: Question) -> Evidence:
        raise AssertionError("not asked")

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        raise AssertionError("a reconciler seals nothing")

    def events(self, account: Account, since_ns: int) -> AsyncIterator[VenueEvent]:
        raise AssertionError("not asked")

    def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncIterator[LeaseAsk]:
        raise AssertionError("not asked")

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        raise AssertionError("a reconciler raises no epoch")
