"""What a signal means for the position it meets: an entry, an add, an exit, a reversal, or nothing.

The position is the *expected* one of the strategy's open trade on the symbol: what it will hold once
the legs approved so far are over. So an exit that arrives while the entry is under way is an exit.

    ENTER    flat: entry · same side: add · other side: reversal
    EXIT     flat, or a position on the side that is not meant: nothing · otherwise exit, or partial
             exit if the signal names a part
    TARGET   by the difference to the expected position: zero closes all, less on the same side
             closes a part, more adds, the other side reverses, the same is nothing

A target that can't be measured still has a sign: on the other side of the position it closes, and
what it would open is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.money import down_to_step
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.domain.verdict import Change

from argos_risk.core.sizing import Size, Sizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A part of the open trade to close; `quantity` None: all of it."""

    quantity: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Something to open on `side`. `size` None: by the signal's own rule."""

    side: Side
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is wanted, before any rule. `note` says why there is nothing to do."""

    change: Change
    closing: Closing | None = None
    opening: Opening | None = None
    note: str = ""


def classify(
    signal: SignalAccepted, expected: Decimal, sizer: Sizer, stop_loss: Decimal | None = None
) -> Plan:
    """The plan of a signal that meets a position of `expected` (signed, 0 if flat).

    `stop_loss` (price from entry to stop) matters only for targets that are sized by risk.
    """
    match signal.action:
        case Action.ENTER:
            return _enter(signal, expected)
        case Action.EXIT:
            return _exit(signal, expected, sizer)
        case Action.TARGET:
            return _target(signal, expected, sizer, stop_loss)


def opening_side(signal: SignalAccepted) -> Side | None:
    """The side on which a signal could open something, None if it can not."""
    match signal.action:
        case Action.ENTER:
            return signal.side
        case Action.TARGET if signal.target_position:
            return _side(signal.target_position)
        case _:
            return None


def _side(signed: Decimal) -> Side:
    return Side.BUY if signed > 0 else Side.SELL


def _enter(signal: SignalAccepted, expected: Decimal) -> Plan:
    if signal.side is None:
        return Plan(change=Change.NONE, note="the signal names no side to enter on")
    opening = Opening(side=signal.side)
    if expected == 0:
        return Plan(change=Change.ENTRY, opening=opening)
    if _side(expected) is signal.side:
        return Plan(change=Change.ADD, opening=opening)
    return Plan(change=Change.REVERSAL, closing=Closing(quantity=None), opening=opening)


def _exit(signal: SignalAccepted, expected: Decimal, sizer: Sizer) -> Plan:
    if expected == 0:
        return Plan(change=Change.NONE, note="nothing to close: the strategy is flat")
    if signal.side is not None and _side(expected) is not signal.side:
        meant, held = _WORDS[signal.side], _WORDS[_side(expected)]
        return Plan(
            change=Change.NONE,
            note=f"nothing to close: the signal leaves a {meant}, the strategy is {held}",
        )
    return _close(sizer.part(signal, expected))


def _target(
    signal: SignalAccepted, expected: Decimal, sizer: Sizer, stop_loss: Decimal | None
) -> Plan:
    size = sizer.target(signal, stop_loss)
    wanted = signal.target_position or Decimal(0)
    if size.quantity is None and wanted == 0:
        return Plan(change=Change.NONE, note=size.problem)
    if wanted != 0 and (expected == 0 or _side(wanted) is not _side(expected)):
        amount = abs(size.quantity) if size.quantity is not None else None
        opening = Opening(side=_side(wanted), size=Size(quantity=amount, problem=size.problem))
        if expected == 0:
            return Plan(change=Change.ENTRY, opening=opening)
        return Plan(change=Change.REVERSAL, closing=Closing(quantity=None), opening=opening)
    if size.quantity is None:
        return Plan(change=Change.ADD, opening=Opening(side=_side(wanted), size=size))
    more = abs(size.quantity) - abs(expected)
    if more > 0 and sizer.instrument is not None:
        more = down_to_step(more, sizer.instrument.quantity_step)
    if more == 0:
        return Plan(change=Change.NONE, note="nothing to do: the position is on target already")
    if more > 0:
        opening = Opening(side=_side(size.quantity), size=Size(quantity=more))
        return Plan(change=Change.ADD, opening=opening)
    return _close(None if size.quantity == 0 else sizer.closing(-more, abs(expected)))


def _close(part: Decimal | None) -> Plan:
    change = Change.EXIT if part is None else Change.PARTIAL_EXIT
    return Plan(change=change, closing=Closing(quantity=part))


_WORDS = {Side.BUY: "long", Side.SELL: "short"}
