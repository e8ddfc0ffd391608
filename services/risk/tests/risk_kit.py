"""Events with defaults, a log of them as folded, and facts: what the tests of risk are written in.

The account is `demo`: margin, USD, EURUSD at 1.1000/1.1002, one lot is 100,000. A whole world of one
account is a `World`; `world.says(event)` folds an event as the next entry of its log.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from argos_common.domain.config import AccountConfig, Limits, StrategyRoute
from argos_common.domain.control import (
    ConfigApplied,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
    Scope,
)
from argos_common.domain.event import Event
from argos_common.domain.ids import (
    Account,
    OrderId,
    SignalId,
    Source,
    Symbol,
    TradeId,
    order_id,
    signal_id,
)
from argos_common.domain.node import AccountFacts
from argos_common.domain.order import (
    OrderDeclined,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule, SignalAccepted
from argos_common.domain.venue import DealEntry, DealRecorded, Quote
from argos_common.domain.verdict import Effect, Facts, Leg, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.testing import builders
from argos_common.wire import codec
from argos_common.wire.documents import read_config
from argos_risk.core.decide import decide
from argos_risk.core.state import AccountRisk, RiskState, fold, next_cause

D = Decimal
NS_PER_S = 1_000_000_000
NOW = 1_767_323_045 * NS_PER_S
DEMO, EURUSD, TREND = builders.DEMO, builders.EURUSD, builders.TREND
LIMITS = Limits(
    order_quantity_max=D(2),
    order_value_max=D(250_000),
    open_positions_max=3,
    daily_loss_max=D(500),
    account_value_max=D(400_000),
    risk_percent_max=D(1),
)
ROUTE = StrategyRoute(
    strategy=TREND,
    bot_versions=("v1",),
    symbols=(EURUSD,),
    quantity_rule=QuantityRule.FIXED,
    quantity=D("0.10"),
    require_stop=False,
)
CONFIG = builders.account_config(LIMITS, ROUTE, node="node", venue_symbol="EURUSD.x")
INSTRUMENT = replace(builders.INSTRUMENT, venue_symbol="EURUSD.x", stop_distance_min=D("0.0005"))
FACTS = Facts(
    now_ns=NOW,
    bid=D("1.1000"),
    ask=D("1.1002"),
    quote_age_ns=0,
    equity=D(100_000),
    balance=D(100_000),
    account_age_ns=0,
    venue_ready=True,
    instrument=INSTRUMENT,
)


def config_with(**changes: Any) -> AccountConfig:
    """CONFIG with other limits, route fields or own fields; each name says where it belongs."""
    limits = {k: changes.pop(k) for k in list(changes) if k in Limits.__slots__}
    route = {k: changes.pop(k) for k in list(changes) if k in StrategyRoute.__slots__}
    return replace(
        CONFIG,
        limits=replace(LIMITS, **limits),
        strategies=(replace(ROUTE, **route),),
        **changes,
    )


def applied(config: AccountConfig = CONFIG, *, tightening: bool = True) -> ConfigApplied:
    document = codec.to_json(config)
    return ConfigApplied(
        account=config.account,
        config_hash=hashlib.sha256(document.encode()).hexdigest(),
        document=document,
        tightening=tightening,
        actor="test",
        reason="test",
        asked_at_ns=NOW,
    )


def signal(name: str = "s1", action: Action = Action.ENTER, **changes: Any) -> SignalAccepted:
    """Buys EURUSD by the strategy's own size, unless told otherwise."""
    fields: dict[str, Any] = {
        "signal_id": signal_id("tv", name),
        "source": Source("tv"),
        "strategy": TREND,
        "bot_version": "v1",
        "symbol": EURUSD,
        "action": action,
        "received_at_ns": NOW,
        "content_hash": "00",
        "dialect": "argos",
        "raw": "{}",
        "side": Side.BUY if action is Action.ENTER else None,
    }
    return SignalAccepted(**fields | changes)


def kill(scope: Scope = Scope.FLEET, account: Account = DEMO) -> KillEngaged:
    return KillEngaged(
        account=account, scope=scope, actor="ann", reason="drill", request_id="k1", asked_at_ns=NOW
    )


def release(scope: Scope = Scope.FLEET) -> KillReleased:
    return KillReleased(
        account=DEMO, scope=scope, actor="ann", reason="over", request_id="r1", asked_at_ns=NOW
    )


def flatten(symbol: str = "") -> FlattenOrdered:
    return FlattenOrdered(
        account=DEMO, symbol=symbol, actor="ann", reason="the end", request_id="f1", asked_at_ns=NOW
    )


def deal(
    trade: str, quantity: str, side: Side = Side.BUY, order: OrderId | None = None, **changes: Any
) -> DealRecorded:
    """A deal on record; `external` and money fields by keyword."""
    external = changes.pop("external", False)
    made = builders.deal(
        f"d{changes.pop('number', 1)}",
        D(quantity),
        side,
        D("1.1002"),
        at_ns=NOW,
        order_id=order,
        venue_order_id="vo",
        position="p1",
        entry=DealEntry.IN,
        venue_symbol="EURUSD.x",
    )
    return DealRecorded(
        account=DEMO,
        deal=replace(made, **changes),
        trade_id=TradeId(trade),
        how="external" if external else "tag",
        external=external,
        recorded_at_ns=NOW,
    )


def discrepancy(symbol: str = "EURUSD") -> DiscrepancyFound:
    return DiscrepancyFound(
        discrepancy_id="x1",
        account=DEMO,
        symbol=Symbol(symbol),
        kind=DiscrepancyKind.POSITION,
        expected="0",
        actual="1",
        sentence="the venue holds 1, the log 0",
        since_ns=NOW,
        found_at_ns=NOW,
    )


def account_facts(account: Account = DEMO, config: AccountConfig = CONFIG) -> AccountFacts:
    """FACTS as a bridge would publish them."""
    return AccountFacts(
        account=account,
        kind=config.kind,
        node_time_ns=NOW,
        ready=True,
        reason="",
        currency=config.currency,
        equity=D(100_000),
        balance=D(100_000),
        quotes=(Quote(symbol=EURUSD, bid=D("1.1000"), ask=D("1.1002"), age_ns=0),),
        instruments=(INSTRUMENT,),
    )


@dataclass
class World:
    """One log, folded as it is written."""

    state: RiskState = field(default_factory=RiskState)
    log: list[tuple[Entry, Event]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    claimed: dict[str, int] = field(default_factory=dict)

    @property
    def risk(self) -> AccountRisk:
        return self.state.accounts[DEMO]

    def says(self, *events: Event) -> World:
        for event in events:
            data = codec.encode(event)
            entry = Entry(
                sequence=len(self.log) + 1, subject="argos.v1.x", data=data, appended_ns=NOW
            )
            self.log.append((entry, codec.decode(data)))
            self.told += fold(self.state, entry, self.log[-1][1], read_config)
        return self

    def decide(self, facts: Facts = FACTS) -> VerdictGiven:
        """Decide the oldest pending cause, without recording the verdict."""
        cause = next_cause(self.state, DEMO)
        assert cause is not None, "nothing is pending"
        return decide(self.state, DEMO, cause, facts)

    def verdict(self, event: Event | None = None, facts: Facts = FACTS) -> VerdictGiven:
        """Fold an event if there is one, then decide the oldest cause and record the verdict."""
        if event is not None:
            self.says(event)
        verdict = self.decide(facts)
        self.says(verdict)
        return verdict

    def claim(self, verdict: VerdictGiven, leg: Leg, attempt: int = 1) -> OrderId:
        """Record that an order for the leg was submitted; its id."""
        order = order_id(leg.trade_id, verdict.account, f"{leg.leg}.1", attempt)
        self.says(
            OrderSubmitting(
                order_id=order,
                account=verdict.account,
                trade_id=leg.trade_id,
                cause_id=verdict.cause_id,
                strategy=verdict.strategy,
                bot_version=verdict.bot_version,
                leg=leg.leg,
                part=1,
                attempt=attempt,
                symbol=verdict.symbol,
                venue_symbol="EURUSD.x",
                side=leg.side,
                effect=leg.effect,
                quantity=leg.quantity,
                deadline_ns=leg.deadline_ns,
                control_sequence=verdict.control_sequence,
                epoch=verdict.epoch,
                lease="n",
                tag="t",
                magic=1,
                writer="w",
                claimed_at_ns=NOW,
                verdict_sequence=1,
            )
        )
        return order

    def fill(self, verdict: VerdictGiven, *, with_deal: bool = True, profit: str = "0") -> None:
        """Carry out every leg of a verdict, at once and whole, as a bridge would.

        A leg that closes more than its trade holds by deals is declined: nothing is closed twice.
        Then what it makes room for is declined too.
        """
        closed = True
        for leg in verdict.legs:
            trade = self.risk.book.trades.get(leg.trade_id)
            held = abs(trade.position) if trade is not None else D("0")
            if leg.effect is Effect.CLOSE and with_deal and held < leg.quantity:
                self.decline(verdict, leg, code="nothing_to_close")
                closed = False
                continue
            if leg.effect is Effect.OPEN and not closed:
                self.decline(verdict, leg, code="not_closed")
                continue
            order = self.claim(verdict, leg)
            self.says(self.filled(order, leg.quantity))
            if with_deal:
                self.says(
                    deal(
                        leg.trade_id,
                        str(leg.quantity),
                        leg.side,
                        order,
                        venue_position_id=f"p-{leg.trade_id}",
                        number=len(self.log),
                        profit=D(profit),
                        entry=DealEntry.IN if leg.effect is Effect.OPEN else DealEntry.OUT,
                    )
                )

    @staticmethod
    def filled(order: OrderId, quantity: Decimal) -> OrderFilled:
        return OrderFilled(
            order_id=order,
            account=DEMO,
            venue_order_id="vo",
            venue_position_id="",
            filled_quantity=quantity,
            average_price=D("1.1002"),
            done=True,
            evidence="answer",
            at_ns=NOW,
        )

    @staticmethod
    def doubt(order: OrderId) -> OrderInDoubt:
        return OrderInDoubt(order_id=order, account=DEMO, cause="timeout", at_ns=NOW)

    @staticmethod
    def no(order: OrderId) -> OrderRefused:
        return OrderRefused(
            order_id=order,
            account=DEMO,
            refusal=RefusalClass.FINAL,
            code="1",
            sentence="no",
            by_node=False,
            at_ns=NOW,
        )

    def decline(self, verdict: VerdictGiven, leg: Leg, code: str = "late") -> None:
        """Record that an approved leg will never be submitted."""
        self.says(
            OrderDeclined(
                order_id=order_id(leg.trade_id, DEMO, f"{leg.leg}.1", 1),
                account=DEMO,
                trade_id=leg.trade_id,
                cause_id=SignalId(verdict.cause_id),
                symbol=verdict.symbol,
                leg=leg.leg,
                part=1,
                attempt=1,
                code=code,
                sentence=code,
                declined_at_ns=NOW,
            )
        )


def configured(config: AccountConfig = CONFIG) -> World:
    """A world with its account configured."""
    return World().says(applied(config))


def holding(config: AccountConfig = CONFIG, quantity: str = "0.10", side: Side = Side.BUY) -> World:
    """A world whose strategy holds EURUSD, opened by the signal `first`."""
    world = configured(config)
    opened = world.verdict(
        signal("first", side=side, quantity_rule=QuantityRule.FIXED, quantity=D(quantity))
    )
    assert opened.legs, opened.reason
    world.fill(opened)
    return world


FIRST = TradeId(signal_id("tv", "first"))
