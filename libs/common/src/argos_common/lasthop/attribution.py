"""Whose a deal, a working order or a position is.

A deal belongs to an order by its tag, unless the venue made the deal itself (a stop's deal may
carry the tag of the order whose position it closed), or by the venue's order id in the journal.
A position belongs to the order that opened it on hedging accounts only; elsewhere it is many's.
Whatever is proved to be of an order is reported to `sighted`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from argos_common.domain.ids import order_id_of_tag
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Outcome, Snapshot, WorkingOrder
from argos_common.domain.venue import Deal, DealReason, VenuePosition
from argos_common.lasthop.answers import seen
from argos_common.lasthop.journal import AsyncJournal, Ticket

_BY_THE_VENUE = (DealReason.STOP_LOSS, DealReason.TAKE_PROFIT, DealReason.STOP_OUT)


class Attribution:
    def __init__(
        self,
        journal: AsyncJournal,
        kind: AccountKind,
        sighted: Callable[[Outcome], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._kind = kind
        self._sighted = sighted

    async def deal(self, deal: Deal) -> Deal:
        """The deal with its order id, if that can be proved."""
        order_id = deal.order_id
        if order_id is None and deal.reason not in _BY_THE_VENUE:
            order_id = order_id_of_tag(deal.comment)
        if order_id is None:
            order_id = await self._journal.order_of(Ticket.ORDER, deal.venue_order_id)
        if order_id is None:
            return deal
        await self._sighted(seen(order_id, f"deal {deal.deal_id}", deal.venue_order_id))
        return replace(deal, order_id=order_id)

    async def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """The same for every position and working order in it."""
        return replace(
            snapshot,
            positions=tuple([await self._position(item) for item in snapshot.positions]),
            working_orders=tuple([await self._order(item) for item in snapshot.working_orders]),
        )

    async def _position(self, position: VenuePosition) -> VenuePosition:
        order_id = position.order_id
        if order_id is None and self._kind is AccountKind.HEDGING:
            ticket = position.venue_position_id
            order_id = await self._journal.order_of(Ticket.POSITION, ticket)
        if order_id is None:
            return position
        await self._sighted(seen(order_id, f"position {position.venue_position_id}"))
        return replace(position, order_id=order_id)

    async def _order(self, order: WorkingOrder) -> WorkingOrder:
        order_id = order.order_id
        if order_id is None:
            order_id = await self._journal.order_of(Ticket.ORDER, order.venue_order_id)
        if order_id is None:
            return order
        await self._sighted(seen(order_id, f"order {order.venue_order_id}"))
        return replace(order, order_id=order_id)
