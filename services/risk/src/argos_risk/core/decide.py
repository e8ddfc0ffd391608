"""One verdict: what is wanted, whether every rule allows it, and which legs that makes.

- `decide` is a function of the state, the cause and the facts. The facts are recorded in the verdict,
  so deciding again from the same log and the recorded facts gives the same verdict.
- A leg that closes is judged on its own and never waits for what a leg that opens lacks: of a
  reversal that may not open, the closing half is approved (PARTLY).
- In a reversal the CLOSE leg belongs to the old trade and the OPEN leg begins a new trade under the
  signal's id. `after_leg` of the OPEN leg is the leg number of the CLOSE leg *in the old trade*: both
  stand in one verdict, and a bridge finds the old trade by the verdict's other leg. The OPEN leg may
  be claimed once the old trade holds nothing; if the CLOSE leg is declined, so is the OPEN leg, for
  what it reserved was measured without the old trade.
- Leg numbers go on from `legs_used` of the trade and are never used twice.
- Nothing to do is a refusal that says so, with change NONE and no legs.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.book import TradeView
from argos_common.domain.config import AccountConfig, StrategyRoute
from argos_common.domain.ids import Account, Strategy, Symbol, TradeId
from argos_common.domain.money import plain
from argos_common.domain.side import Side
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import (
    Change,
    Decision,
    Effect,
    Facts,
    Leg,
    RuleResult,
    VerdictGiven,
)

from argos_risk.core.classify import Closing, Opening, Plan, classify, opening_side
from argos_risk.core.exposure import day_loss, measure
from argos_risk.core.protection import Protection, protect
from argos_risk.core.rule import CloseCase, OpenCase
from argos_risk.core.rules import failures, judge_close, judge_open
from argos_risk.core.sizing import Sizer
from argos_risk.core.state import AccountRisk, Cause, RiskState

EXIT_DEADLINE_NS = 600 * 1_000_000_000
"""For an account without configuration: what it holds may still be closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A leg and what the rules say; `leg` is None if they refuse it or there is none."""

    leg: Leg | None = None
    results: tuple[RuleResult, ...] = ()
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One signal on one account."""

    risk: AccountRisk
    signal: SignalAccepted
    facts: Facts
    route: StrategyRoute | None
    trade: TradeView | None
    expected: Decimal
    protection: Protection
    sizer: Sizer
    plan: Plan


def decide(state: RiskState, account: Account, cause: Cause, facts: Facts) -> VerdictGiven:
    """The verdict on a pending cause of the account, at the moment `facts.now_ns`."""
    risk = state.accounts[account]
    if cause.signal is None:
        return _flatten(state, risk, cause, facts)
    case = _case(risk, cause.signal, facts)
    plan = case.plan
    closing = _close(case, plan.closing) if plan.closing else _Judged()
    opening = _open(case, plan.opening, closing.leg) if plan.opening else _Judged()
    if plan.change is Change.NONE:
        results = judge_close(CloseCase(held=Decimal(0), note=plan.note))
        closing = _Judged(results=results, against=plan.note)
    legs = tuple(judged.leg for judged in (closing, opening) if judged.leg is not None)
    against = "; ".join(each.against for each in (closing, opening) if each.against)
    decision = _decision(legs, against)
    return VerdictGiven(
        account=account,
        cause_id=cause.cause_id,
        origin=cause.origin,
        strategy=cause.signal.strategy,
        bot_version=cause.signal.bot_version,
        symbol=cause.signal.symbol,
        decision=decision,
        change=plan.change,
        reason=_reason(decision, plan.change, legs, against, cause.signal.symbol),
        legs=legs,
        rules=closing.results + opening.results,
        facts=facts,
        config_hash=risk.control.config_hash,
        control_sequence=risk.control.sequence,
        epoch=risk.control.epoch,
        folded_sequence=state.sequence,
        trade_id=_trade_id(case, legs),
        trace_parent=cause.signal.trace_parent,
    )


def route_of(config: AccountConfig | None, strategy: str) -> StrategyRoute | None:
    """How the account takes the strategy, None if it does not."""
    if config is None:
        return None
    return next((route for route in config.strategies if route.strategy == strategy), None)


def _case(risk: AccountRisk, signal: SignalAccepted, facts: Facts) -> _Case:
    route = route_of(risk.config, signal.strategy)
    trade = risk.book.open_trade(signal.strategy, signal.symbol)
    expected = risk.book.expected(trade) if trade is not None else Decimal(0)
    side = opening_side(signal)
    protection = protect(signal, side or Side.BUY, facts)
    dearer = max(facts.bid, facts.ask) if facts.bid and facts.ask else None
    sizer = Sizer(route=route, instrument=facts.instrument, price=dearer, equity=facts.equity)
    return _Case(
        risk=risk,
        signal=signal,
        facts=facts,
        route=route,
        trade=trade,
        expected=expected,
        protection=protection,
        sizer=sizer,
        plan=classify(signal, expected, sizer, protection.loss),
    )


def _close(case: _Case, closing: Closing) -> _Judged:
    trade, expected = case.trade, case.expected
    results = judge_close(CloseCase(held=expected, note=""))
    against = failures(results)
    if trade is None or against:
        return _Judged(results=results, against=against or "nothing to close")
    leg = _close_leg(trade, expected, case.facts.now_ns, case.risk.config, closing.quantity)
    return _Judged(leg=leg, results=results)


def _close_leg(
    trade: TradeView,
    held: Decimal,
    now_ns: int,
    config: AccountConfig | None,
    quantity: Decimal | None,
) -> Leg:
    deadline_ns = config.exit_deadline_ns if config is not None else EXIT_DEADLINE_NS
    return Leg(
        leg=trade.legs_used + 1,
        trade_id=trade.trade_id,
        effect=Effect.CLOSE,
        side=Side.SELL if held > 0 else Side.BUY,
        quantity=abs(held) if quantity is None else quantity,
        deadline_ns=now_ns + deadline_ns,
        close_all=quantity is None,
    )


def _open(case: _Case, opening: Opening, closing: Leg | None) -> _Judged:
    risk, signal, facts = case.risk, case.signal, case.facts
    size = opening.size
    if size is None:
        size = case.sizer.opening(signal, case.protection.loss)
    adds = case.plan.change is Change.ADD
    judged = OpenCase(
        risk=risk,
        config=risk.config,
        route=case.route,
        signal=signal,
        facts=facts,
        side=opening.side,
        size=size,
        protection=case.protection,
        exposure=measure(risk, signal.symbol, facts, without=closing.trade_id if closing else None),
        day_loss=day_loss(risk, facts),
        new_trade=not adds,
    )
    results = judge_open(judged)
    against = failures(results)
    if against or size.quantity is None or risk.config is None:
        return _Judged(results=results, against=against or "the account has no configuration")
    adding_to = case.trade if adds else None
    leg = Leg(
        leg=adding_to.legs_used + 1 if adding_to else 1,
        trade_id=adding_to.trade_id if adding_to else TradeId(signal.signal_id),
        effect=Effect.OPEN,
        side=opening.side,
        quantity=size.quantity,
        deadline_ns=facts.now_ns + risk.config.entry_deadline_ns,
        stop_price=case.protection.stop_price,
        take_profit_price=case.protection.take_profit_price,
        reserved_value=judged.value or Decimal(0),
        after_leg=closing.leg if closing else 0,
    )
    return _Judged(leg=leg, results=results)


def _flatten(state: RiskState, risk: AccountRisk, cause: Cause, facts: Facts) -> VerdictGiven:
    trade = risk.book.trades.get(cause.trade_id) if cause.trade_id is not None else None
    held = Decimal(0)
    if trade is not None:
        # A close that is under way may yet fail; a flatten closes what is held all the same.
        held = risk.book.expected(trade) or trade.position
    results = judge_close(CloseCase(held=held, note="nothing to close: the trade is over"))
    against = failures(results)
    legs: tuple[Leg, ...] = ()
    if trade is not None and not against:
        legs = (_close_leg(trade, held, facts.now_ns, risk.config, None),)
    symbol = trade.symbol if trade is not None else Symbol("")
    decision = _decision(legs, against)
    change = Change.EXIT if legs else Change.NONE
    said = _reason(decision, change, legs, against, symbol)
    return VerdictGiven(
        account=risk.account,
        cause_id=cause.cause_id,
        origin=cause.origin,
        strategy=trade.strategy if trade is not None else Strategy(""),
        bot_version=trade.bot_version if trade is not None else "",
        symbol=symbol,
        decision=decision,
        change=change,
        reason=f"{said} Flatten: {cause.reason}.",
        legs=legs,
        rules=results,
        facts=facts,
        config_hash=risk.control.config_hash,
        control_sequence=risk.control.sequence,
        epoch=risk.control.epoch,
        folded_sequence=state.sequence,
        trade_id=cause.trade_id,
    )


def _decision(legs: tuple[Leg, ...], against: str) -> Decision:
    if not legs:
        return Decision.REFUSED
    return Decision.PARTLY if against else Decision.APPROVED


def _trade_id(case: _Case, legs: tuple[Leg, ...]) -> TradeId | None:
    """The trade a reader should look at: the one begun, else the one met."""
    if legs:
        return legs[-1].trade_id
    return case.trade.trade_id if case.trade is not None else None


def _reason(
    decision: Decision, change: Change, legs: tuple[Leg, ...], against: str, symbol: str
) -> str:
    done = ", then ".join(_in_words(leg, symbol) for leg in legs)
    match decision:
        case Decision.APPROVED:
            return f"Approved: {_CHANGES[change]}, {done}."
        case Decision.PARTLY:
            return f"Approved in part: {done}. Not opened: {against}."
        case Decision.REFUSED:
            return f"Refused: {against}."


def _in_words(leg: Leg, symbol: str) -> str:
    if leg.effect is Effect.CLOSE:
        part = "all of" if leg.close_all else f"{plain(leg.quantity)} of"
        return f"close {part} the {'long' if leg.side is Side.SELL else 'short'} in {symbol}"
    words = f"{leg.side.name.lower()} {plain(leg.quantity)} {symbol}"
    if leg.stop_price is not None:
        words += f" with stop {plain(leg.stop_price)}"
    if leg.take_profit_price is not None:
        words += f" and target {plain(leg.take_profit_price)}"
    return words


_CHANGES: dict[Change, str] = {
    Change.NONE: "nothing",
    Change.ENTRY: "entry",
    Change.ADD: "add",
    Change.PARTIAL_EXIT: "partial exit",
    Change.EXIT: "exit",
    Change.REVERSAL: "reversal",
}
