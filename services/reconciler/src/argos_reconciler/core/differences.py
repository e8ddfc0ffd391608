"""What differs between the log and the venue at one moment, by kind.

    POSITION          quantity at the venue - sum of deals - what a person accepted, not 0
    BALANCE           the same for the base asset of a spot symbol
    UNKNOWN_POSITION  a position no deal on record explains, or one that nobody here opened
    UNKNOWN_ORDER     a working order that is not ours, or that the log says has ended; the stop that
                      a venue keeps as an order of its own is its entry's while the trade is open
    MISSING_FILL      a fill without deals on record, or a deal at the venue that is not on record
    UNRESOLVED        an order whose outcome nobody knows

Whether a difference matters depends on how long it stands; that is for `compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.book import OrderView
from argos_common.domain.ids import OrderId, Symbol, TradeId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.money import plain
from argos_common.domain.node import Snapshot, WorkingOrder
from argos_common.domain.order import LIVE, UNRESOLVED, OrderState
from argos_common.domain.reconcile import DiscrepancyKind
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal, DealEntry, VenuePosition
from argos_common.domain.verdict import Effect

from argos_reconciler.core.match import base_asset
from argos_reconciler.core.state import BY_AMOUNT, AccountState


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How long each may stand before a person must know. `live_ns` where real money is."""

    simulated_ns: int = 5 * NS_PER_S
    live_ns: int = 15 * NS_PER_S
    missing_fill_ns: int = 15 * NS_PER_S
    unresolved_ns: int = 30 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference at one moment. `ref` names what differs, empty for an amount.

    `since_ns`, if set, is when it began by the log; otherwise it begins with its first sighting.
    """

    kind: DiscrepancyKind
    symbol: Symbol
    expected: str
    actual: str
    sentence: str
    after_ns: int
    ref: str = ""
    since_ns: int = 0
    order_id: OrderId | None = None
    trade_id: TradeId | None = None

    @property
    def amount(self) -> Decimal:
        """What stands beyond the expected, for kinds that are an amount; else 0."""
        if self.kind in BY_AMOUNT:
            return Decimal(self.actual) - Decimal(self.expected)
        return Decimal(0)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind.name, self.symbol, self.ref


def muted(state: AccountState) -> frozenset[Symbol]:
    """Symbols that cannot be judged now."""
    return frozenset(
        order.submitting.symbol
        for order in state.book.orders.values()
        if order.submitting and (order.state in UNRESOLVED or order.owed)
    )


def book_differences(
    state: AccountState, thresholds: Thresholds, missing: Sequence[Deal]
) -> list[Difference]:
    """What the log itself shows: unresolved orders and fills without deals.

    `missing`: deals that the venue lists and the log lacks.
    """
    found = []
    for order in state.book.orders.values():
        if order.submitting is None:
            continue
        if order.state in UNRESOLVED:
            found.append(_unresolved(order, order.submitting.symbol, thresholds))
        elif order.owed and order.state not in LIVE:
            found.append(_owed(order, order.submitting.symbol, thresholds))
    for deal in missing:
        if deal.entry is not DealEntry.BALANCE and deal.deal_id not in state.deals:
            found.append(_unrecorded(deal, thresholds))
    for trade in state.book.trades.values():
        if trade.external and trade.position != 0:
            found.append(
                Difference(
                    kind=DiscrepancyKind.UNKNOWN_POSITION,
                    symbol=trade.symbol,
                    expected="0",
                    actual=plain(trade.position),
                    sentence=f"{plain(trade.position)} {trade.symbol} is held that nobody here"
                    " opened: close it at the venue, or resolve this to accept it",
                    after_ns=0,
                    ref=trade.trade_id,
                    trade_id=trade.trade_id,
                )
            )
    return found


def missing_deals(state: AccountState, listed: Sequence[Deal]) -> tuple[Deal, ...]:
    """The venue's deals that are not on record."""
    return tuple(
        deal
        for deal in listed
        if deal.entry is not DealEntry.BALANCE and deal.deal_id not in state.deals
    )


def venue_differences(
    state: AccountState, snapshot: Snapshot, thresholds: Thresholds
) -> list[Difference]:
    """What the venue's complete snapshot shows otherwise than the book."""
    live = state.config is not None and state.config.live
    after_ns = thresholds.live_ns if live else thresholds.simulated_ns
    found = _unknown_orders(state, snapshot, after_ns)
    if snapshot.facts.kind is AccountKind.SPOT:
        return found + _balances(state, snapshot, after_ns)
    return found + _positions(state, snapshot, after_ns)


def _unresolved(order: OrderView, symbol: Symbol, thresholds: Thresholds) -> Difference:
    state = "in doubt" if order.state is OrderState.IN_DOUBT else "submitted"
    return Difference(
        kind=DiscrepancyKind.UNRESOLVED,
        symbol=symbol,
        expected="an outcome",
        actual=order.state.name,
        sentence=f"order {order.order_id} has been {state} without an outcome for too long: look at"
        " the venue and at the node's log; resolve this only if the venue did not execute it, or what"
        " it executed is on record as a position of its own",
        after_ns=thresholds.unresolved_ns,
        ref=order.order_id,
        since_ns=order.changed_at_ns,
        order_id=order.order_id,
        trade_id=order.trade_id,
    )


def _owed(order: OrderView, symbol: Symbol, thresholds: Thresholds) -> Difference:
    return Difference(
        kind=DiscrepancyKind.MISSING_FILL,
        symbol=symbol,
        expected=plain(order.filled_quantity),
        actual=plain(order.dealt_quantity),
        sentence=f"order {order.order_id} is said to be filled by {plain(order.filled_quantity)},"
        f" its deals on record add up to {plain(order.dealt_quantity)}",
        after_ns=thresholds.missing_fill_ns,
        ref=order.order_id,
        since_ns=order.changed_at_ns,
        order_id=order.order_id,
        trade_id=order.trade_id,
    )


def _unrecorded(deal: Deal, thresholds: Thresholds) -> Difference:
    return Difference(
        kind=DiscrepancyKind.MISSING_FILL,
        symbol=deal.symbol,
        expected="0",
        actual=plain(deal.side.sign * deal.quantity),
        sentence=f"the venue lists deal {deal.deal_id} ({deal.side.name.lower()}"
        f" {plain(deal.quantity)} {deal.symbol}), which is not on record",
        after_ns=thresholds.missing_fill_ns,
        ref=f"deal {deal.deal_id}",
        order_id=deal.order_id,
    )


def _positions(state: AccountState, snapshot: Snapshot, after_ns: int) -> list[Difference]:
    book = state.book
    by_symbol: dict[Symbol, list[VenuePosition]] = {}
    for position in snapshot.positions:
        by_symbol.setdefault(position.symbol, []).append(position)
    symbols = {*by_symbol, *book.residual, *(trade.symbol for trade in book.trades.values())}
    found: list[Difference] = []
    for symbol in sorted(symbols | set(state.accepted)):
        expected = book.held(symbol) + state.accepted.get(symbol, Decimal(0))
        shown = by_symbol.get(symbol, [])
        actual = sum((each.quantity for each in shown), Decimal(0))
        if actual == expected:
            continue
        unknown = [each for each in shown if each.venue_position_id not in book.position_trades]
        found.extend(_unknown_position(each, after_ns) for each in unknown)
        if actual - sum((each.quantity for each in unknown), Decimal(0)) != expected:
            found.append(
                _amount(DiscrepancyKind.POSITION, symbol, (expected, actual), after_ns, "position")
            )
    return found


def _unknown_position(position: VenuePosition, after_ns: int) -> Difference:
    return Difference(
        kind=DiscrepancyKind.UNKNOWN_POSITION,
        symbol=position.symbol,
        expected="0",
        actual=plain(position.quantity),
        sentence=f"the venue holds position {position.venue_position_id} of"
        f" {plain(position.quantity)} {position.symbol}, of which no deal is on record",
        after_ns=after_ns,
        ref=f"position {position.venue_position_id}",
        order_id=position.order_id,
    )


def _amount(
    kind: DiscrepancyKind,
    symbol: Symbol,
    amounts: tuple[Decimal, Decimal],
    after_ns: int,
    what: str,
) -> Difference:
    expected, actual = amounts
    return Difference(
        kind=kind,
        symbol=symbol,
        expected=plain(expected),
        actual=plain(actual),
        sentence=f"the venue's {what} in {symbol} is {plain(actual)}, the deals on record say"
        f" {plain(expected)}",
        after_ns=after_ns,
    )


def _balances(state: AccountState, snapshot: Snapshot, after_ns: int) -> list[Difference]:
    totals = {each.asset: each.total for each in snapshot.balances}
    instruments = dict(state.instruments)
    instruments.update({each.symbol: each for each in snapshot.facts.instruments})
    by_asset: dict[str, list[Symbol]] = {}
    for symbol in sorted(instruments):
        by_asset.setdefault(base_asset(instruments[symbol]), []).append(symbol)
    found = []
    for asset, symbols in by_asset.items():
        expected = sum(
            (state.book.held(each) + state.accepted.get(each, Decimal(0)) for each in symbols),
            Decimal(0),
        )
        actual = totals.get(asset, Decimal(0))
        if actual != expected:
            amounts = (expected, actual)
            found.append(
                _amount(DiscrepancyKind.BALANCE, symbols[0], amounts, after_ns, f"{asset} balance")
            )
    return found


def _protects(state: AccountState, order: OrderView, shown: WorkingOrder) -> bool:
    """Whether it is the stop or target that came with an entry of a trade that still holds."""
    trade, asked = state.book.trades.get(order.trade_id), order.submitting
    if trade is None or asked is None or asked.effect is not Effect.OPEN:
        return False
    return shown.side is not asked.side and trade.position * asked.side.sign > 0


def _unknown_orders(state: AccountState, snapshot: Snapshot, after_ns: int) -> list[Difference]:
    found = []
    for shown in snapshot.working_orders:
        order = state.book.orders.get(shown.order_id) if shown.order_id else None
        if order is not None and (order.state in LIVE or _protects(state, order, shown)):
            continue
        why = "is not ours" if shown.order_id is None else "has ended by the log"
        found.append(
            Difference(
                kind=DiscrepancyKind.UNKNOWN_ORDER,
                symbol=shown.symbol,
                expected="none",
                actual=f"{shown.side.name} {plain(shown.quantity)}",
                sentence=f"order {shown.venue_order_id} ({shown.side.name.lower()}"
                f" {plain(shown.quantity)} {shown.symbol}) rests at the venue and {why}",
                after_ns=after_ns,
                ref=f"order {shown.venue_order_id}",
                order_id=shown.order_id,
            )
        )
    return found
