"""What the tests of the bridge are written in: events with defaults, and a state folded from them.

The account is `demo`; EURUSD at 1.1000/1.1002, step 0.01. `World.says` folds an event as the next
entry of the log and gives its sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from argos_bridge.core.claim import next_step
from argos_bridge.core.state import AccountState, BridgeState
from argos_bridge.core.step import Moment, Step
from argos_common.domain.config import AccountConfig, Limits
from argos_common.domain.control import ConfigApplied, KillEngaged, KillReleased, Scope
from argos_common.domain.event import Event
from argos_common.domain.ids import OrderId, SignalId, TradeId, order_id
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import AccountFacts
from argos_common.domain.order import OrderFilled, OrderRefused, OrderSubmitting, RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import (
    Change,
    Decision,
    Effect,
    Facts,
    Leg,
    Origin,
    VerdictGiven,
)
from argos_common.testing import builders
from argos_common.wire.codec import from_json, to_json

D = Decimal
S = 1_000_000_000
NOW = 1_767_323_045 * S
DEMO, EURUSD, TREND = builders.DEMO, builders.EURUSD, builders.TREND
T1 = TradeId("11111111-1111-4111-8111-111111111111")
T2 = TradeId("22222222-2222-4222-8222-222222222222")
INSTRUMENT = replace(builders.INSTRUMENT, venue_symbol="EURUSD.x")


def config(kind: AccountKind = AccountKind.HEDGING, **changes: int) -> AccountConfig:
    limits = Limits(
        order_quantity_max=D(10),
        order_value_max=D(1000000),
        open_positions_max=100,
        daily_loss_max=D(1000),
        account_value_max=D(10000000),
        risk_percent_max=D(2),
    )
    base = builders.account_config(limits, node="n1", venue_symbol="EURUSD.x")
    return replace(base, kind=kind, **changes)  # type: ignore[arg-type]  # durations only


def applied(what: AccountConfig) -> ConfigApplied:
    return ConfigApplied(
        account=DEMO,
        config_hash="h",
        document=to_json(what),
        tightening=False,
        actor="a",
        reason="r",
        asked_at_ns=NOW,
    )


def kill() -> KillEngaged:
    return KillEngaged(
        account=DEMO, scope=Scope.ACCOUNT, actor="a", reason="stop", request_id="k", asked_at_ns=NOW
    )


def release() -> KillReleased:
    return KillReleased(
        account=DEMO, scope=Scope.ACCOUNT, actor="a", reason="go", request_id="r", asked_at_ns=NOW
    )


def opening(
    quantity: str = "1",
    *,
    trade: TradeId = T1,
    leg: int = 1,
    deadline_s: float = 10,
    after: int = 0,
) -> Leg:
    return Leg(
        leg=leg,
        trade_id=trade,
        effect=Effect.OPEN,
        side=Side.BUY,
        quantity=D(quantity),
        deadline_ns=NOW + int(deadline_s * S),
        stop_price=D("1.09"),
        reserved_value=D(110000) * D(quantity),
        after_leg=after,
    )


def closing(
    quantity: str = "", *, trade: TradeId = T1, leg: int = 2, deadline_s: float = 600
) -> Leg:
    return Leg(
        leg=leg,
        trade_id=trade,
        effect=Effect.CLOSE,
        side=Side.SELL,
        quantity=D(quantity or 0),
        deadline_ns=NOW + int(deadline_s * S),
        close_all=not quantity,
    )


def verdict(*legs: Leg, control: int = 1, cause: str = "", now_ns: int = NOW) -> VerdictGiven:
    return VerdictGiven(
        account=DEMO,
        cause_id=SignalId(cause or legs[-1].trade_id),
        origin=Origin.SIGNAL,
        strategy=TREND,
        bot_version="trend-1",
        symbol=EURUSD,
        decision=Decision.APPROVED,
        change=Change.ENTRY,
        reason="",
        legs=legs,
        rules=(),
        facts=Facts(now_ns=now_ns, bid=D("1.1000"), ask=D("1.1002"), instrument=INSTRUMENT),
        config_hash="h",
        control_sequence=control,
        epoch=0,
        folded_sequence=1,
    )


def facts() -> AccountFacts:
    return AccountFacts(
        account=DEMO,
        kind=AccountKind.HEDGING,
        node_time_ns=NOW,
        ready=True,
        reason="",
        currency="USD",
        equity=D(100000),
        balance=D(100000),
        instruments=(INSTRUMENT,),
    )


def oid(trade: TradeId = T1, leg: int = 1, part: int = 1, attempt: int = 1) -> OrderId:
    return order_id(trade, DEMO, f"{leg}.{part}", attempt)


def filled(
    order: OrderId, quantity: str = "1", *, done: bool = True, position: str = "p1"
) -> OrderFilled:
    return OrderFilled(
        order_id=order,
        account=DEMO,
        venue_order_id=f"v-{order}",
        venue_position_id=position,
        filled_quantity=D(quantity),
        average_price=D("1.1"),
        done=done,
        evidence="answer",
        at_ns=NOW,
    )


def refused(order: OrderId, refusal: RefusalClass, code: str = "code") -> OrderRefused:
    return OrderRefused(
        order_id=order,
        account=DEMO,
        refusal=refusal,
        code=code,
        sentence="no",
        by_node=False,
        at_ns=NOW,
    )


def deal(
    order: OrderId | None,
    quantity: str = "1",
    *,
    position: str = "p1",
    trade: TradeId = T1,
    number: str = "",
    out: bool = False,
) -> DealRecorded:
    side = Side.SELL if out else Side.BUY
    return DealRecorded(
        account=DEMO,
        deal=builders.deal(
            number or f"d-{order}",
            D(quantity),
            side,
            D("1.1"),
            at_ns=NOW,
            order_id=order,
            venue_order_id=f"v-{order}",
            position=position,
            entry=DealEntry.OUT if out else DealEntry.IN,
            venue_symbol="EURUSD.x",
        ),
        trade_id=trade,
        how="tag",
        external=False,
        recorded_at_ns=NOW,
    )


@dataclass(slots=True)
class World:
    """A log of one account as folded. `now_ns` is when the next entry is stored."""

    kind: AccountKind = AccountKind.HEDGING
    state: BridgeState = field(default_factory=BridgeState)
    sequence: int = 0
    now_ns: int = NOW
    oddities: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.says(applied(config(self.kind)))

    @property
    def demo(self) -> AccountState:
        return self.state.account(DEMO)

    def says(self, *events: Event) -> int:
        for event in events:
            self.sequence += 1
            _, oddity = self.state.fold(
                self.sequence, self.now_ns, event, lambda text: from_json(AccountConfig, text)
            )
            if oddity:
                self.oddities.append(oddity)
        return self.sequence

    def moment(self, *, lease: str = "nonce") -> Moment:
        return Moment(now_ns=self.now_ns, writer="w", lease=lease, facts=facts())

    def step(self, *, lease: str = "nonce", may_submit: bool = True) -> Step:
        return next_step(self.demo, self.moment(lease=lease), may_submit=may_submit)

    def submits(self, *, lease: str = "nonce") -> OrderSubmitting:
        """Fold what is submitted now, and give it."""
        step = self.step(lease=lease)
        event = getattr(step, "event", None)
        assert isinstance(event, OrderSubmitting), step
        self.says(event)
        return event

    def declines(self) -> str:
        """Fold what is declined now, and give its sentence."""
        event = getattr(self.step(), "event", None)
        assert event is not None
        assert not isinstance(event, OrderSubmitting), event
        self.says(event)
        return str(event.code)

    def opens(self, quantity: str = "1", *, trade: TradeId = T1, position: str = "p1") -> None:
        """A whole entry: verdict, order, answer, deal."""
        self.says(verdict(opening(quantity, trade=trade), control=self.demo.control.sequence))
        order = self.submits().order_id
        self.says(filled(order, quantity, position=position))
        self.says(deal(order, quantity, position=position, trade=trade))
