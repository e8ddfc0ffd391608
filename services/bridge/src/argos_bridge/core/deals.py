"""Whose deal it is, put on record once per account and deal."""

from __future__ import annotations

from dataclasses import replace

from argos_common.domain.ids import OrderId, Symbol
from argos_common.domain.venue import Deal, DealEntry, DealRecorded

from argos_bridge.core.state import AccountState

OWED_LONG_NS = 15 * 1_000_000_000
"""Deals that come this long after the fill was answered are no longer just on their way."""


def recorded(state: AccountState, deal: Deal, now_ns: int) -> DealRecorded:
    """The event for a deal, attributed by what the book knows now."""
    trade_id, how, external = state.book.attribute(deal)
    if deal.order_id is None and deal.venue_order_id and how == "ticket":
        deal = replace(deal, order_id=_order_of(state, deal.venue_order_id))
    return DealRecorded(
        account=state.account,
        deal=deal,
        trade_id=trade_id,
        how=how,
        external=external,
        recorded_at_ns=now_ns,
    )


def _order_of(state: AccountState, venue_order_id: str) -> OrderId | None:
    """The order that the venue answered with this id of its own."""
    for order in state.book.orders.values():
        if order.venue_order_id == venue_order_id:
            return order.order_id
    return None


def may_be_ours(state: AccountState, deal: Deal) -> bool:
    """Whether a deal that nothing attributes could belong to an order of which more is to come.

    The answer of one without outcome, or a deal of one that is owed some, names the venue's order
    and position: that is worth a short wait.
    """
    if deal.entry is DealEntry.BALANCE or not _more_to_come(state, deal.symbol):
        return False
    return state.book.attribute(deal)[1] == "external"


def _more_to_come(state: AccountState, symbol: Symbol) -> bool:
    return symbol in state.unresolved.values() or any(
        order.owed and order.submitting is not None and order.submitting.symbol == symbol
        for order in state.book.orders.values()
    )


def owed_since_ns(state: AccountState, now_ns: int) -> int | None:
    """When the oldest order was claimed whose deals are long overdue; None if none is."""
    since = [
        order.submitting.claimed_at_ns
        for order in state.book.orders.values()
        if order.owed and order.submitting and now_ns - order.changed_at_ns >= OWED_LONG_NS
    ]
    return min(since, default=None)
