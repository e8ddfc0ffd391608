"""What the log adds up to for a bridge, per account. Changed by `fold` alone.

Besides the book and the control latches an account keeps a few indexes of its own, so that no step
has to look at every order:

    closing, opening   approved legs that are not over -> sequence of the verdict, in its order
    unresolved         orders that are SUBMITTING or IN_DOUBT -> symbol
    live               orders the venue may hold or fill: what the watcher looks at
    undertold          orders of which deals say more than their last event does
    reversals          an OPEN leg -> the CLOSE leg it waits for
    unreadable         orders whose first event cannot be read -> the leg each is of, if one is known

All but the last follow from the book; they are part of the state so that a snapshot need not rebuild.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.book import Book, LegView, OrderView, TradeView
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import (
    AccountControl,
    ConfigApplied,
    Control,
    fold_control,
    fold_unreadable,
)
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, Symbol, TradeId, order_id
from argos_common.domain.order import (
    LIVE,
    UNRESOLVED,
    ExitTurn,
    OrderDeclined,
    OrderEvent,
    OrderState,
    OrderSubmitting,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind, DiscrepancyResolved
from argos_common.domain.venue import DealEntry, DealRecorded, NodeConfirmed
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.wire.subjects import PREFIX

SCHEMA = 5
LegKey = tuple[TradeId, int]
ReadConfig = Callable[[str], AccountConfig | None]


@dataclass(slots=True, kw_only=True)
class AccountState:
    """One account. `dealt_value`: quantity times price of the deals of each live order."""

    account: Account
    book: Book
    control: AccountControl = field(default_factory=AccountControl)
    config: AccountConfig | None = None
    closing: dict[LegKey, int] = field(default_factory=dict)
    opening: dict[LegKey, int] = field(default_factory=dict)
    reversals: dict[LegKey, LegKey] = field(default_factory=dict)
    unresolved: dict[OrderId, Symbol] = field(default_factory=dict)
    live: dict[OrderId, bool] = field(default_factory=dict)
    undertold: dict[OrderId, bool] = field(default_factory=dict)
    unreadable: dict[OrderId, LegKey] = field(default_factory=dict)
    dealt_value: dict[OrderId, Decimal] = field(default_factory=dict)
    first_ns: int = 0
    """When the account was first configured: deals from before are nobody's business here."""
    last_deal_ns: int = 0
    confirmed_epoch: int = 0
    venue_symbols: dict[Symbol, str] = field(default_factory=dict)
    """What the venue called a symbol in its last deal."""
    node_sequence: int = 0
    """Where the log says which node serves the account. What another node never sent is no proof
    for an order that was claimed before."""
    turn_sequence: int = 0
    asked: dict[str, OrderId] = field(default_factory=dict)
    """Open discrepancies of kind UNRESOLVED -> the order that a person was asked about."""
    settled: dict[OrderId, bool] = field(default_factory=dict)
    """Unresolved orders of which a person has said that the venue did not execute them as ours."""

    def leg(self, key: LegKey) -> tuple[TradeView, LegView] | None:
        """The trade and the leg a key names, if the book still has them."""
        trade = self.book.trades.get(key[0])
        view = trade.legs.get(key[1]) if trade else None
        return (trade, view) if trade and view else None

    def hold(self, order_id: OrderId) -> None:
        """An order was claimed or declined, nobody here can say what, so its leg is held for good."""
        self.unreadable[order_id] = TradeId(""), 0
        for key in (*self.closing, *self.opening):
            found = self.leg(key)
            if found is not None and order_id in _next_ids(self.account, found[1]):
                self.unreadable[order_id] = key

    def is_unreadable(self, symbol: Symbol, *effects: Effect) -> bool:
        """Whether an order that cannot be read may be live on the symbol, to one of these effects."""
        found = (self.leg(key) for key in self.unreadable.values())
        return any(
            each[1].symbol == symbol and each[1].leg.effect in effects for each in found if each
        )

    def configure(self, sequence: int, config: AccountConfig | None) -> None:
        """The configuration from here on; None if it cannot be read: it stays as it was."""
        if config is None:
            return
        if self.config is None or config.node != self.config.node:
            self.node_sequence = sequence
        self.config = config

    def fold_verdict(self, sequence: int, verdict: VerdictGiven) -> None:
        self.book.fold_verdict(sequence, verdict)
        for leg in verdict.legs:
            key = (leg.trade_id, leg.leg)
            pending = self.opening if leg.effect is Effect.OPEN else self.closing
            pending[key] = sequence
            if not leg.after_leg:
                continue
            for other in verdict.legs:
                if other.effect is Effect.CLOSE and other.leg == leg.after_leg:
                    self.reversals[key] = (other.trade_id, other.leg)

    def fold_order(self, event: OrderEvent, at_ns: int) -> str:
        order = self.book.orders.get(event.order_id)
        if isinstance(event, OrderSubmitting | OrderDeclined):
            trade = self.book.trades.get(event.trade_id)
        else:
            trade = self.book.trades.get(order.trade_id) if order else None
        oddity = self.book.fold_order(event, at_ns)
        self._index(event.order_id)
        self._forget_legs(trade)
        return oddity

    def fold_deal(self, event: DealRecorded) -> None:
        deal = event.deal
        self.last_deal_ns = max(self.last_deal_ns, deal.venue_time_ns)
        if deal.symbol:
            self.venue_symbols[deal.symbol] = deal.venue_symbol
        trade = self.book.trades.get(event.trade_id)
        if deal.order_id is not None and deal.order_id in self.book.orders:
            value = self.dealt_value.get(deal.order_id, Decimal(0))
            self.dealt_value[deal.order_id] = value + deal.quantity * deal.price
        self.book.fold_deal(event)
        if deal.order_id is not None and deal.entry is not DealEntry.BALANCE:
            self._index(deal.order_id)
        self._forget_legs(trade)

    def fold_question(self, event: DiscrepancyFound) -> None:
        if event.kind is DiscrepancyKind.UNRESOLVED and event.order_id is not None:
            self.asked[event.discrepancy_id] = event.order_id

    def fold_answer(self, event: DiscrepancyResolved) -> None:
        order_id = self.asked.pop(event.discrepancy_id, None)
        if order_id is not None and order_id in self.unresolved and event.by_a_person:
            self.settled[order_id] = True

    def _index(self, order_id: OrderId) -> None:
        order = self.book.orders.get(order_id)
        state = order.state if order else None
        if order and order.submitting and state in UNRESOLVED:
            self.unresolved[order_id] = order.submitting.symbol
        else:
            self.unresolved.pop(order_id, None)
            self.settled.pop(order_id, None)
        _mark(self.live, order_id, marked=state in LIVE)
        _mark(self.undertold, order_id, marked=order is not None and undertold(order))
        if order is None:
            self.dealt_value.pop(order_id, None)

    def _forget_legs(self, trade: TradeView | None) -> None:
        if trade is None:
            return
        for number, view in trade.legs.items():
            key = (trade.trade_id, number)
            if view.over and (key in self.opening or key in self.closing):
                self.opening.pop(key, None)
                self.closing.pop(key, None)
                self.reversals.pop(key, None)
        if trade.trade_id not in self.book.trades:
            for view in trade.legs.values():
                for order_id in view.orders:
                    self._index(order_id)


@dataclass(slots=True, kw_only=True)
class BridgeState:
    """Every account the log has told of."""

    accounts: dict[Account, AccountState] = field(default_factory=dict)

    def account(self, account: Account) -> AccountState:
        """The account's state, which begins empty."""
        state = self.accounts.get(account)
        if state is None:
            state = AccountState(account=account, book=Book(account=account))
            self.accounts[account] = state
        return state

    def fold(
        self, sequence: int, at_ns: int, event: Event, read_config: ReadConfig
    ) -> tuple[Account | None, str]:
        """Take one event of the log: whom it concerned, and an oddity for a person or "".

        `at_ns` is when the log stored it. `read_config` reads a configuration document; one that
        cannot be read leaves the account as it was configured before.
        """
        match event:
            case VerdictGiven():
                self.account(event.account).fold_verdict(sequence, event)
            case _ if isinstance(event, OrderEvent):
                return event.account, self.account(event.account).fold_order(event, at_ns)
            case DealRecorded():
                self.account(event.account).fold_deal(event)
            case DiscrepancyFound():
                self.account(event.account).fold_question(event)
            case DiscrepancyResolved():
                self.account(event.account).fold_answer(event)
            case ExitTurn():
                self.account(event.account).turn_sequence = sequence
            case NodeConfirmed():
                state = self.account(event.account)
                state.confirmed_epoch = max(state.confirmed_epoch, event.epoch)
            case _ if isinstance(event, Control):
                state = self.account(event.account)
                state.control = fold_control(state.control, sequence, event)
                if isinstance(event, ConfigApplied):
                    state.first_ns = state.first_ns or at_ns
                    state.configure(sequence, read_config(event.document))
            case _:
                return None, ""
        return event.account, ""

    def in_order(self) -> BridgeState:
        """The same state, its legs in the order of their verdicts again: a snapshot sorts by key."""
        for state in self.accounts.values():
            state.closing = dict(sorted(state.closing.items(), key=_by_verdict))
            state.opening = dict(sorted(state.opening.items(), key=_by_verdict))
        return self

    def fold_unreadable(self, sequence: int, subject: str) -> Account | None:
        """Take an entry that cannot be read for what its subject says; whom it concerned.

        A control event counts as a kill, a turn as taken. An event of an order takes its number, or
        the next one would be proposed under it for ever; where it is the first, the order may be at
        the venue and nobody can follow it: its leg is held, and new risk on its symbol with it.
        """
        kind, _, rest = subject.removeprefix(PREFIX).partition(".")
        account, _, rest = rest.partition(".")
        match kind:
            case "control":
                state = self.account(Account(account))
                state.control = fold_unreadable(state.control, sequence)
            case "order":
                state, order_id = self.account(Account(account)), OrderId(rest.partition(".")[0])
                order = state.book.orders.get(order_id)
                if order is not None:
                    order.next_number += 1
                else:
                    state.hold(order_id)
            case "turn":
                self.account(Account(account)).turn_sequence = sequence
            case _:
                return None
        return Account(account)


def _next_ids(account: Account, view: LegView) -> set[OrderId]:
    """The orders that may be the leg's next: another attempt at one of its parts, or a new part."""
    numbers = range(1, len(view.orders) + 2)
    return {
        order_id(view.leg.trade_id, account, f"{view.leg.leg}.{part}", attempt)
        for part in numbers
        for attempt in numbers
    }


def undertold(order: OrderView) -> bool:
    """Whether deals on record prove more than the order's last event says.

    While an answer may still come it is waited for: it says more than deals do.
    """
    if order.dealt_quantity == 0 or order.submitting is None:
        return False
    match order.state:
        case OrderState.WORKING | OrderState.PARTLY_FILLED | OrderState.IN_DOUBT:
            whole = order.dealt_quantity >= order.submitting.quantity
            return whole or order.dealt_quantity > order.filled_quantity
        case OrderState.NEW | OrderState.SUBMITTING | OrderState.DECLINED:
            return False
        case _:
            return order.dealt_quantity > order.filled_quantity


def _by_verdict(item: tuple[LegKey, int]) -> tuple[int, int]:
    return item[1], item[0][1]


def _mark(index: dict[OrderId, bool], key: OrderId, *, marked: bool) -> None:
    if marked:
        index[key] = True
    else:
        index.pop(key, None)
