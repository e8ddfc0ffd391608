"""Whether everything has come to rest, and what must hold once it has: orders, deals, positions."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Journaled
from argos_common.domain.order import LIVE, OrderEvent, OrderState, next_state
from argos_mt5_node.simulator import constants as mt5

from argos_simulation import fleet
from argos_simulation.rest_books import check_books
from argos_simulation.rest_monitor import check_monitor, untold
from argos_simulation.world import World

ZERO = Decimal(0)
DEAD = (OrderState.ABSENT, OrderState.REFUSED, OrderState.DECLINED)
_SENT = (Journaled.SENDING, Journaled.ANSWERED)


def restless(world: World) -> str:
    """What is still under way, in a few words; empty if nothing is."""
    for look in (_unread, _unjudged, _under_way, _undealt, _unmatched, untold):
        left = look(world)
        if left:
            return left
    return ""


def _unjudged(world: World) -> str:
    witness = world.witness
    for signal_id, accounts in witness.routes.items():
        for account in accounts:
            if (signal_id, account) not in witness.risk.verdicts:
                return f"signal {signal_id} has no verdict on {account}"
    return ""


def _under_way(world: World) -> str:
    for account, book in world.witness.orders.books.items():
        for order in book.orders.values():
            if order.state in LIVE:
                return f"order {order.order_id} on {account} is {order.state.name}"
            if order.owed:
                return f"order {order.order_id} on {account} is owed deals"
        for trade in book.trades.values():
            for view in trade.legs.values():
                if not view.over:
                    return f"leg {view.leg.leg} of trade {trade.trade_id} on {account} is not over"
    return ""


def _unread(world: World) -> str:
    for name, service in world.services.items():
        if service.host is None:
            return f"{name} is down"
    end = len(world.store.entries)
    for name, bridge in world.bridges.items():
        if bridge.sequence < end:
            return f"{name} has not read everything"
    for name, risk in world.risks.items():
        if risk.state.sequence < end:
            return f"{name} has not read everything"
    checkpoint = world.ledger.checkpoint
    if checkpoint is None or checkpoint.sequence < end:
        return "the ledger has not taken everything"
    return ""


def _undealt(world: World) -> str:
    for key in _venue_deals(world):
        if key not in world.witness.orders.deals:
            return f"deal {key[1]} of {key[0]} is not on record"
    return ""


def _unmatched(world: World) -> str:
    for order_id in _filled_orders(world):
        if order_id not in world.witness.matched:
            return f"order {order_id} is not matched"
    for found in _discrepancies(world):
        return f"discrepancy {found} is open"
    return ""


def _filled_orders(world: World) -> list[OrderId]:
    """Orders of which the log says that something was filled."""
    return [order_id for order_id, dealt in world.witness.orders.dealt.items() if dealt > 0]


def _discrepancies(world: World) -> list[str]:
    """Open discrepancies where nobody but us has traded."""
    strange = {
        (world.witness.truth.account_of(entry.login), entry.symbol)
        for entry in world.broker.record
        if entry.origin == "manual"
    }
    return [
        name
        for name, held in world.witness.risk.discrepancies.items()
        if held.until is None and (held.account, held.symbol) not in strange
    ]


def _venue_deals(world: World) -> Counter[tuple[Account, str]]:
    """Every deal that the venues made, as the log should have it."""
    found: Counter[tuple[Account, str]] = Counter()
    for account, login in fleet.LOGINS.items():
        for deal in world.broker.book(login).deals:
            if deal.type in (mt5.BUY, mt5.SELL):
                found[account, str(deal.ticket)] += 1
    for trade in world.paper_store.load().trades:
        found[fleet.SPOT, trade.trade_id] += 1
    return found


def check_at_rest(world: World) -> None:
    """Every invariant that is about the end."""
    witness = world.witness
    left = restless(world)
    witness.court.check(12, left, holds=not left)
    for signal in witness.signals.values():
        for account in witness.routes[signal.signal_id]:
            count = witness.risk.verdicts.get((signal.signal_id, account), 0)
            witness.court.check(8, f"{signal.signal_id} on {account}: {count}", holds=count == 1)
    _orders(world)
    _positions(world)
    _deals(world)
    _reconciled(world)
    check_books(world)
    check_monitor(world)


def _orders(world: World) -> None:
    """2, 4, 13, 38: what the venues and the journals have, against what the log concludes."""
    witness, court = world.witness, world.witness.court
    for order_id, count in witness.truth.accepted.items():
        court.check(2, f"order {order_id}: {count} at the venue", holds=count <= 1)
    for key, quantity in witness.calls.filled.items():
        leg = witness.calls.legs[key]
        if not leg.close_all:
            court.check(4, f"{key}: {quantity} of {leg.quantity}", holds=quantity <= leg.quantity)
    states = _final_states(world)
    for order_id, state in states.items():
        if state in DEAD:
            quantity = witness.truth.filled.get(order_id, ZERO)
            court.check(
                13, f"order {order_id} is {state.name}, filled {quantity}", holds=quantity == 0
            )
    for order_id, claim in witness.truth.claims.items():
        kept = world.journals[claim.account].entry(order_id)
        journaled = kept.state if kept else Journaled.NOTHING
        called = bool(witness.calls.calls[order_id])
        dealt = witness.orders.dealt.get(order_id, ZERO) > 0
        court.check(
            38,
            f"order {order_id} is {states[order_id].name}, called {called}, deals {dealt};"
            f" the journal says {journaled.name}",
            # A node that dies after the entry and before the call leaves SENDING behind.
            holds=(journaled in _SENT if called else journaled is not Journaled.ANSWERED)
            and (called or not dealt)
            and (kept is None or not kept.unresolved),
        )


def _final_states(world: World) -> dict[OrderId, OrderState]:
    """The last state of every order, also of those whose trade has ended."""
    states: dict[OrderId, OrderState] = {}
    for _, event in world.witness.events:
        if isinstance(event, OrderEvent):
            known = states.get(event.order_id, OrderState.NEW)
            states[event.order_id] = next_state(known, event) or known
    return states


def _positions(world: World) -> None:
    """14: the book of the log against the venues' own."""
    for account in world.journals:
        book, held = world.witness.orders.book(account), world.witness.truth.held(account)
        for symbol in fleet.STRATEGIES.values():
            expected, actual = book.held(symbol), held.get(symbol, ZERO)
            world.witness.court.check(
                14,
                f"{account} {symbol}: log {expected}, venue {actual}",
                holds=expected == actual,
            )


def _deals(world: World) -> None:
    """19: the deals on record are the venues' deals, each once."""
    real, known = _venue_deals(world), world.witness.orders.deals
    for key in (*real, *(each for each in known if each not in real)):
        world.witness.court.check(
            19,
            f"deal {key[1]} of {key[0]}: {known[key]} on record, {real[key]} at the venue",
            holds=known[key] == real[key] == 1,
        )


def _reconciled(world: World) -> None:
    """39: everything filled is matched, and nothing is open without a reason."""
    witness = world.witness
    for order_id in _filled_orders(world):
        witness.court.check(39, f"order {order_id}", holds=order_id in witness.matched)
    found = _discrepancies(world)
    witness.court.check(39, f"open: {', '.join(found)}", holds=not found)
