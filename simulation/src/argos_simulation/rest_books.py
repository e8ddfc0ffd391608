"""What must hold at rest of everything that is kept: states, ledger, money, and the log itself."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from argos_bridge.core.state import BridgeState
from argos_common.domain.ids import Account
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.wire.codec import to_json
from argos_common.wire.documents import read_config
from argos_mt5_node.simulator import constants as mt5
from argos_reconciler.core.project import fold_all
from argos_reconciler.core.rows import Item, Rows
from argos_risk.core.replay import decide_again
from argos_risk.core.state import RiskState

from argos_simulation import fleet
from argos_simulation.witness import line_of
from argos_simulation.world import World

ZERO = Decimal(0)


def check_books(world: World) -> None:
    """15, 16, 40, 41, 43."""
    risk = _replayed(world)
    _re_read(world, risk)
    _ledger(world)
    _money(world)
    digest = hashlib.sha256()
    for entry in world.store.entries:
        digest.update(line_of(entry))
    world.witness.court.check(
        43, "the log holds other bytes", holds=digest.digest() == world.witness.digest.digest()
    )


def _replayed(world: World) -> RiskState:
    """15: deciding again."""
    state, mismatches = decide_again(world.witness.events, read_config)
    found = "; ".join(f"verdict at {each.sequence}" for each in mismatches)
    world.witness.court.check(15, found, holds=not mismatches)
    return state


def _re_read(world: World, risk: RiskState) -> None:
    """16: what is in memory is what the log says, for every process and every restart."""
    bridge = BridgeState()
    for entry, event in world.witness.events:
        if event is None:
            bridge.fold_unreadable(entry.sequence, entry.subject)
        else:
            bridge.fold(entry.sequence, entry.appended_ns, event, read_config)
    for name, runner in world.risks.items():
        same = runner.state == risk or to_json(runner.state) == to_json(risk)
        world.witness.court.check(16, f"{name} differs", holds=same)
    for name, each in world.bridges.items():
        same = each.state == bridge or to_json(each.state) == to_json(bridge)
        world.witness.court.check(16, f"{name} differs", holds=same)


def items_of(world: World) -> list[Item]:
    """The whole log as the ledger takes it."""
    return [
        Item(entry.sequence, entry.subject, entry.appended_ns, entry.data, event)
        for entry, event in world.witness.events
    ]


def _ledger(world: World) -> None:
    """40: the rows are what the log gives again, and their positions are the venue's."""
    again = Rows()
    fold_all(again, items_of(world))
    again.added.pop("events", None)
    court, rows = world.witness.court, world.ledger.rows
    court.check(40, "the rows differ from those of a fresh reading", holds=rows == again)
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows.trades.values():
        key = (str(row["account"]), str(row["symbol"]))
        position = row["position"]
        sums[key] = sums.get(key, ZERO) + (position if isinstance(position, Decimal) else ZERO)
    for account in world.journals:
        for symbol, held in world.witness.truth.held(account).items():
            kept = sums.pop((account, symbol), ZERO)
            court.check(40, f"{account} {symbol}: ledger {kept}, venue {held}", holds=kept == held)
    left = {key: kept for key, kept in sums.items() if kept}
    court.check(40, f"the ledger holds what no venue does: {left}", holds=not left)


def _money(world: World) -> None:
    """41: balances are the start and the deals on record."""
    recorded: dict[Account, list[DealRecorded]] = {}
    for _, event in world.witness.events:
        if isinstance(event, DealRecorded) and event.deal.entry is not DealEntry.BALANCE:
            recorded.setdefault(event.account, []).append(event)
    court = world.witness.court
    for account, login in fleet.LOGINS.items():
        book = world.broker.book(login)
        kept = sum((d.profit for d in book.deals if d.type not in (mt5.BUY, mt5.SELL)), ZERO)
        for event in recorded.get(account, ()):
            deal = event.deal
            kept += deal.profit + deal.commission + deal.swap + deal.fee
        court.check(
            41, f"{account}: deals give {kept}, balance {book.balance}", holds=kept == book.balance
        )
    _spot_money(world, recorded.get(fleet.SPOT, []))


def _spot_money(world: World, recorded: list[DealRecorded]) -> None:
    books, start = world.paper_store.load(), world.paper.balances
    kept = dict(start)
    for event in recorded:
        deal = event.deal
        kept["BTC"] = kept.get("BTC", ZERO) + deal.position_delta
        kept["USD"] = kept.get("USD", ZERO) - deal.side.sign * deal.quantity * deal.price
        if deal.fee_asset in ("", "USD"):
            kept["USD"] += deal.fee
    for asset in ("BTC", "USD"):
        expected, actual = kept.get(asset, ZERO), books.held(asset)
        world.witness.court.check(
            41, f"spot {asset}: deals give {expected}, held {actual}", holds=expected == actual
        )
