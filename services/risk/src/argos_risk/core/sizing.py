"""How large: from the rule on a signal, or the strategy's own, to a quantity of the venue.

    STRATEGY          whatever the strategy's route on this account says
    FIXED             so many units of the venue
    RISK_PERCENT      so much of the equity is lost if the stop is hit, from the price of entry
    RISK_AMOUNT       the same in the account's currency
    VALUE             so much exposure in the account's currency
    EQUITY_PERCENT    so much of the equity as exposure
    POSITION_PERCENT  so much of the open position: exits only

Every size is multiplied by the account's multiplier and rounded down to the venue's step. It is
never rounded up to the venue's minimum: what is too small is refused. Divisions round down as well,
so that no size is ever above what its rule allows.

A part to be closed is not refused: it is at least the venue's minimum, and all of the position where
less than the minimum would be left, or where the part can't be measured. In doubt, less risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from argos_common.domain.config import StrategyRoute
from argos_common.domain.instrument import Instrument
from argos_common.domain.money import down_to_step
from argos_common.domain.signal import QuantityRule, SignalAccepted

_DOWN = Context(prec=34, rounding=ROUND_DOWN)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A quantity in the venue's unit, or why there is none. Signed only for a target."""

    quantity: Decimal | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizer:
    """What sizes are measured with; None where it is missing. `price`: the dearer side."""

    route: StrategyRoute | None
    instrument: Instrument | None
    price: Decimal | None
    equity: Decimal | None

    @property
    def multiplier(self) -> Decimal:
        return self.route.multiplier if self.route is not None else Decimal(1)

    def opening(self, signal: SignalAccepted, stop_loss: Decimal | None) -> Size:
        """What a signal asks to open. `stop_loss`: price from entry to stop, None without stop."""
        return self._sized(signal.quantity_rule, signal.quantity, stop_loss)

    def target(self, signal: SignalAccepted, stop_loss: Decimal | None) -> Size:
        """The signed position a signal asks for, rounded down towards zero."""
        target = signal.target_position
        if target is None:
            return Size(quantity=None, problem="the signal names no target position")
        if target == 0:
            return Size(quantity=Decimal(0))
        rule = signal.quantity_rule
        if rule is QuantityRule.STRATEGY:
            rule = QuantityRule.FIXED
        size = self._sized(rule, abs(target), stop_loss)
        if size.quantity is None:
            return size
        return Size(quantity=size.quantity if target > 0 else -size.quantity)

    def part(self, signal: SignalAccepted, expected: Decimal) -> Decimal | None:
        """How much of a position of `expected` an exit closes; None: all of it."""
        rule, amount, held = signal.quantity_rule, signal.quantity, abs(expected)
        if amount is None or rule is QuantityRule.STRATEGY:
            return None
        if rule is QuantityRule.POSITION_PERCENT:
            return self.closing(held * amount / _HUNDRED, held)
        if rule is QuantityRule.FIXED:
            return self.closing(amount * self.multiplier, held)
        unit = self._unit_value()
        if rule is not QuantityRule.VALUE or not unit:
            return None
        return self.closing(_DOWN.divide(amount * self.multiplier, unit), held)

    def closing(self, quantity: Decimal, held: Decimal) -> Decimal | None:
        """A closable part of `held`; None: all of it."""
        least = Decimal(0)
        if self.instrument is not None:
            least = self.instrument.quantity_min
            quantity = max(down_to_step(quantity, self.instrument.quantity_step), least)
        left = held - quantity
        return None if left <= 0 or left < least or quantity <= 0 else quantity

    def _sized(self, rule: QuantityRule, amount: Decimal | None, stop_loss: Decimal | None) -> Size:
        if rule is QuantityRule.STRATEGY:
            if self.route is None:
                return Size(quantity=None, problem="the strategy has no size on this account")
            rule, amount = self.route.quantity_rule, self.route.quantity
        if amount is None or amount <= 0:
            return Size(quantity=None, problem="the signal names no quantity above zero")
        if self.instrument is None:
            return Size(quantity=None, problem="the venue has not described the symbol")
        size = self._raw(rule, amount, stop_loss)
        if size.quantity is None:
            return size
        scaled = _DOWN.multiply(size.quantity, self.multiplier)
        return Size(quantity=down_to_step(scaled, self.instrument.quantity_step))

    def _raw(self, rule: QuantityRule, amount: Decimal, stop_loss: Decimal | None) -> Size:
        match rule:
            case QuantityRule.FIXED:
                return Size(quantity=amount)
            case QuantityRule.VALUE:
                return _divided(amount, self._unit_value(), "there is no price to size with")
            case QuantityRule.EQUITY_PERCENT if self.equity is not None:
                share = self.equity * amount / _HUNDRED
                return _divided(share, self._unit_value(), "there is no price to size with")
            case QuantityRule.RISK_AMOUNT:
                return _divided(amount, self._unit_loss(stop_loss), _NO_STOP)
            case QuantityRule.RISK_PERCENT if self.equity is not None:
                share = self.equity * amount / _HUNDRED
                return _divided(share, self._unit_loss(stop_loss), _NO_STOP)
            case QuantityRule.EQUITY_PERCENT | QuantityRule.RISK_PERCENT:
                return Size(quantity=None, problem="the equity to size with is not known")
            case QuantityRule.POSITION_PERCENT:
                return Size(
                    quantity=None, problem="a percentage of the position can only be closed"
                )
            case QuantityRule.STRATEGY:
                return Size(quantity=None, problem="the strategy's own size names no rule")

    def _unit_value(self) -> Decimal | None:
        if self.instrument is None or self.price is None:
            return None
        return self.instrument.value(Decimal(1), self.price)

    def _unit_loss(self, stop_loss: Decimal | None) -> Decimal | None:
        if self.instrument is None or stop_loss is None:
            return None
        return self.instrument.value(Decimal(1), stop_loss)


_NO_STOP = "sizing by risk needs a stop on the losing side of the price"


def _divided(amount: Decimal, unit: Decimal | None, problem: str) -> Size:
    if unit is None or unit <= 0 or amount <= 0:
        return Size(quantity=None, problem=problem)
    return Size(quantity=_DOWN.divide(amount, unit))
