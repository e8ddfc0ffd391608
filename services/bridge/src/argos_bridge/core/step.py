"""What may be done next about a leg, and the events that say so."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain import ids
from argos_common.domain.book import LegView
from argos_common.domain.ids import OrderId
from argos_common.domain.instrument import Instrument
from argos_common.domain.node import AccountFacts
from argos_common.domain.order import OrderDeclined, OrderSubmitting
from argos_common.domain.side import Side
from argos_common.domain.times import NS_PER_MS
from argos_common.domain.verdict import Effect

from argos_bridge.core.state import AccountState


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a decision needs besides the log: the wall clock and facts in passing.

    `lease`: the nonce of a lease just granted, or empty. `facts`: the account's newest, or None.
    """

    now_ns: int
    writer: str
    lease: str = ""
    facts: AccountFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Claim this; whoever is told that the claim is its own sends it."""

    event: OrderSubmitting


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Put on record that this attempt is never made."""

    event: OrderDeclined


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing now. Look again at `until_ns` (wall clock), or when something is folded."""

    until_ns: int | None
    why: str


Step = Submit | Decline | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which attempt at which part."""

    part: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An attempt that may be claimed now. `submit` makes the claim of it."""

    view: LegView
    place: Place
    side: Side
    quantity: Decimal
    position_ref: str = ""


Next = Ready | Decline | Wait


def order_id(state: AccountState, view: LegView, place: Place) -> OrderId:
    leg = f"{view.leg.leg}.{place.part}"
    return ids.order_id(view.leg.trade_id, state.account, leg, place.attempt)


def once_id(order: OrderId) -> str:
    """Shared by a claim and a decline of the same attempt, so that one excludes the other."""
    return f"claim-{order}"


def decline(
    state: AccountState, view: LegView, place: Place, moment: Moment, why: tuple[str, str]
) -> Decline:
    """`why` is a code and a sentence."""
    code, sentence = why
    return Decline(
        event=OrderDeclined(
            order_id=order_id(state, view, place),
            account=state.account,
            trade_id=view.leg.trade_id,
            cause_id=view.cause_id,
            symbol=view.symbol,
            leg=view.leg.leg,
            part=place.part,
            attempt=place.attempt,
            code=code,
            sentence=sentence,
            declined_at_ns=moment.now_ns,
        )
    )


def submit(state: AccountState, ready: Ready, moment: Moment) -> Submit:
    """The claim of an attempt. The configuration must be known."""
    view, place = ready.view, ready.place
    config, leg = state.config, view.leg
    window_ns = config.submit_window_ns if config else 0
    order = order_id(state, view, place)
    opening = leg.effect is Effect.OPEN
    return Submit(
        event=OrderSubmitting(
            order_id=order,
            account=state.account,
            trade_id=leg.trade_id,
            cause_id=view.cause_id,
            strategy=view.strategy,
            bot_version=view.bot_version,
            leg=leg.leg,
            part=place.part,
            attempt=place.attempt,
            symbol=view.symbol,
            venue_symbol=venue_symbol(state, view, moment),
            side=ready.side,
            effect=leg.effect,
            quantity=ready.quantity,
            deadline_ns=min(leg.deadline_ns, moment.now_ns + window_ns),
            control_sequence=state.control.sequence,
            epoch=state.control.epoch,
            lease=moment.lease if opening else "",
            tag=ids.tag(order),
            magic=ids.magic(order, view.strategy),
            writer=moment.writer,
            claimed_at_ns=moment.now_ns,
            verdict_sequence=view.verdict_sequence,
            position_ref=ready.position_ref,
            stop_price=leg.stop_price if opening else None,
            take_profit_price=leg.take_profit_price if opening else None,
            intended_price=view.intended_price,
            trace_parent=view.trace_parent,
        )
    )


def venue_symbol(state: AccountState, view: LegView, moment: Moment) -> str:
    """What the venue calls the symbol; empty if nobody knows.

    By the account's configuration; for a symbol no longer configured as the trade's own orders
    had it, or as the venue lists it; to close, also as the deals of the symbol had it.
    """
    for route in state.config.symbols if state.config else ():
        if route.symbol == view.symbol:
            return route.venue_symbol
    trade = state.book.trades.get(view.leg.trade_id)
    for other in trade.legs.values() if trade else ():
        for each in other.orders:
            submitting = state.book.orders[each].submitting
            if submitting is not None:
                return submitting.venue_symbol
    found = instrument(view, moment)
    if found is not None:
        return found.venue_symbol
    # A position nobody here opened, in a symbol nobody configured: as its deals had it.
    return state.venue_symbols.get(view.symbol, "") if view.leg.effect is Effect.CLOSE else ""


def instrument(view: LegView, moment: Moment) -> Instrument | None:
    """The leg's instrument as the venue listed it last."""
    for each in moment.facts.instruments if moment.facts else ():
        if each.symbol == view.symbol:
            return each
    return None


def too_late(view: LegView, moment: Moment) -> tuple[str, str] | None:
    """The code and sentence for a leg past its deadline."""
    late_ns = moment.now_ns - view.leg.deadline_ns
    if late_ns < 0:
        return None
    whole, part = divmod(late_ns // NS_PER_MS, 1000)
    return "too_late", f"too late by {whole}.{part:03d} s"
