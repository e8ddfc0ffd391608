"""What must hold once everything has come to rest, and whether it has."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from argos_bridge.core.state import BridgeState
from argos_common.domain.ids import Account, OrderId, order_id_of_tag, tag
from argos_common.domain.order import LIVE, OrderEvent, OrderState, next_state
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.wire.codec import to_json
from argos_common.wire.documents import read_config
from argos_mt5_node.simulator import constants as mt5
from argos_risk.core.replay import decide_again
from argos_risk.core.state import RiskState
from argos_risk.core.state import fold as fold_risk

from argos_simulation import fleet
from argos_simulation.world import World

ZERO = Decimal(0)
DEAD = (OrderState.ABSENT, OrderState.REFUSED, OrderState.DECLINED)


def restless(world: World) -> str:
    """What is still under way, in a few words; empty if nothing is."""
    for look in (_unjudged, _under_way, _unread, _undealt):
        left = look(world)
        if left:
            return left
    return ""


def _unjudged(world: World) -> str:
    witness = world.witness
    for signal_id, accounts in witness.routes.items():
        for account in accounts:
            if (signal_id, account) not in witness.verdicts:
                return f"signal {signal_id} has no verdict on {account}"
    return ""


def _under_way(world: World) -> str:
    for account, book in world.witness.books.items():
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
    return ""


def _undealt(world: World) -> str:
    for key in _venue_deals(world):
        if key not in world.witness.deals:
            return f"deal {key[1]} of {key[0]} is not on record"
    return ""


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
    witness.check(12, left, holds=not left)
    for signal in witness.signals.values():
        for account in witness.routes[signal.signal_id]:
            count = witness.verdicts.get((signal.signal_id, account), 0)
            witness.check(8, f"{signal.signal_id} on {account}: {count}", holds=count == 1)
    _orders(world)
    _positions(world)
    _deals(world)
    _replayed(world)
    _re_read(world)


def _orders(world: World) -> None:
    """2, 4, 13: what the venues recorded, against what was approved and what the log concludes."""
    witness = world.witness
    orders, filled = _venue_orders(world)
    for order_id, count in orders.items():
        witness.check(2, f"order {order_id}: {count} at the venue", holds=count <= 1)
    legs: dict[tuple[str, str, int], Decimal] = {}
    for _, event in witness.events:
        if isinstance(event, VerdictGiven):
            for leg in event.legs:
                if leg.effect is Effect.OPEN:
                    legs[event.account, leg.trade_id, leg.leg] = leg.quantity
    sums: dict[tuple[str, str, int], Decimal] = {}
    for order_id, quantity in filled.items():
        claim = witness.claims.get(order_id)
        if claim is not None and claim.effect is Effect.OPEN:
            key = (claim.account, claim.trade_id, claim.leg)
            sums[key] = sums.get(key, ZERO) + quantity
    for leg_key, quantity in sums.items():
        approved = legs.get(leg_key, ZERO)
        witness.check(4, f"{leg_key}: {quantity} of {approved}", holds=quantity <= approved)
    for order_id, state in _final_states(world).items():
        if state in DEAD:
            quantity = filled.get(order_id, ZERO)
            witness.check(
                13, f"order {order_id} is {state.name}, filled {quantity}", holds=quantity == 0
            )


def _final_states(world: World) -> dict[OrderId, OrderState]:
    """The last state of every order, also of those whose trade has ended."""
    states: dict[OrderId, OrderState] = {}
    for _, event in world.witness.events:
        if isinstance(event, OrderEvent):
            known = states.get(event.order_id, OrderState.NEW)
            states[event.order_id] = next_state(known, event) or known
    return states


def _venue_orders(world: World) -> tuple[dict[OrderId, int], dict[OrderId, Decimal]]:
    """Per order id: how many orders the venues accepted, and how much of them was filled."""
    by_magic = {claim.magic: order_id for order_id, claim in world.witness.claims.items()}
    orders: Counter[OrderId] = Counter()
    filled: dict[OrderId, Decimal] = {}
    for entry in world.broker.record:
        if entry.origin != "expert":
            continue
        order_id = order_id_of_tag(entry.comment) or by_magic.get(entry.magic)
        if order_id is None:
            continue
        if entry.kind == "order":
            orders[order_id] += 1
        elif entry.kind == "deal":
            filled[order_id] = filled.get(order_id, ZERO) + entry.volume
    books = world.paper_store.load()
    for order in books.orders.values():
        found = order_id_of_tag(order.client_id)
        if found is None or order.client_id != tag(found):
            continue
        orders[found] += 1
        filled[found] = filled.get(found, ZERO) + order.filled_quantity
    return dict(orders), filled


def _positions(world: World) -> None:
    """14: the book of the log against the venues' own."""
    for account, login in fleet.LOGINS.items():
        book = world.witness.book(account)
        held: dict[str, Decimal] = {}
        for position in world.broker.book(login).positions.values():
            sign = 1 if position.type == mt5.BUY else -1
            held[position.symbol] = held.get(position.symbol, ZERO) + sign * position.volume
        for symbol in fleet.STRATEGIES.values():
            expected, actual = book.held(symbol), held.get(symbol, ZERO)
            world.witness.check(
                14,
                f"{account} {symbol}: log {expected}, venue {actual}",
                holds=expected == actual,
            )
    paper = world.paper_store.load()
    expected, actual = world.witness.book(fleet.SPOT).held("BTCUSD"), paper.held("BTC")
    world.witness.check(14, f"spot BTC: log {expected}, venue {actual}", holds=expected == actual)


def _deals(world: World) -> None:
    """19: the deals on record are the venues' deals, each once."""
    real, known = _venue_deals(world), world.witness.deals
    for key in (*real, *(each for each in known if each not in real)):
        world.witness.check(
            19,
            f"deal {key[1]} of {key[0]}: {known[key]} on record, {real[key]} at the venue",
            holds=known[key] == real[key] == 1,
        )


def _replayed(world: World) -> None:
    """15: deciding again."""
    _, mismatches = decide_again(world.witness.events, read_config)
    found = "; ".join(f"verdict at {each.sequence}" for each in mismatches)
    world.witness.check(15, found, holds=not mismatches)


def _re_read(world: World) -> None:
    """16: what is in memory is what the log says, for every process and every restart."""
    risk, bridge = RiskState(), BridgeState()
    for entry, event in world.witness.events:
        fold_risk(risk, entry, event, read_config)
        bridge.fold(entry.sequence, entry.appended_ns, event, read_config)
    risk_text, bridge_text = to_json(risk), to_json(bridge)
    for name, runner in world.risks.items():
        same = to_json(runner.state) == risk_text
        world.witness.check(16, f"{name} differs", holds=same)
    for name, each in world.bridges.items():
        same = to_json(each.state) == bridge_text
        world.witness.check(16, f"{name} differs", holds=same)
