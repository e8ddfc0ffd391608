"""What the log adds up to for reconciliation.

Per account: the book, the unmatched orders, and the discrepancies that are open.
`State.fold` is the only thing that changes it. Memory is bounded: matched orders, resolved
discrepancies and old deals are forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from argos_common.domain.book import Book
from argos_common.domain.config import AccountConfig
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, Symbol
from argos_common.domain.order import OrderEvent, OrderSubmitting
from argos_common.domain.reconcile import (
    DiscrepancyFound,
    DiscrepancyKind,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import VerdictGiven

from argos_reconciler.core.match import Instruments, Matcher, Receipts

DEALS_REMEMBERED = 20_000
SETTLED_REMEMBERED = 5_000
BY_AMOUNT = (DiscrepancyKind.POSITION, DiscrepancyKind.BALANCE)


@dataclass(slots=True, kw_only=True)
class AccountState:
    """One account. `config` None until the log has one; then `known_since_ns` says since when.

    `accepted`: symbol -> signed quantity at the venue beyond the deals, which a person accepted.
    `resolved_count`: base id -> how often a discrepancy of it was resolved.
    `waived`: base ids that a person resolved: not raised again.
    """

    account: Account
    book: Book
    matcher: Matcher
    config: AccountConfig | None = None
    known_since_ns: int = 0
    instruments: Instruments = field(default_factory=dict)
    open: dict[str, DiscrepancyFound] = field(default_factory=dict)
    accepted: dict[Symbol, Decimal] = field(default_factory=dict)
    resolved_count: dict[str, int] = field(default_factory=dict)
    waived: dict[str, None] = field(default_factory=dict)
    deals: dict[str, int] = field(default_factory=dict)
    """Recorded deal ids, the newest ones, with their venue time."""

    touched: dict[Symbol, int] = field(default_factory=dict)
    """Symbol -> the newest log entry that may have changed what is held of it."""

    def touched_since(self, sequence: int) -> frozenset[Symbol]:
        """Symbols that something happened to after that log entry."""
        return frozenset(name for name, last in self.touched.items() if last > sequence)


@dataclass(slots=True)
class State:
    """All accounts."""

    accounts: dict[Account, AccountState] = field(default_factory=dict)
    receipts: Receipts = field(default_factory=Receipts)
    sequence: int = 0

    def account(self, name: Account) -> AccountState:
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = AccountState(
                account=name, book=Book(account=name), matcher=Matcher(account=name)
            )
        return found

    def configure(self, config: AccountConfig, at_ns: int) -> None:
        """Take the account's configuration as it stands in the log since `at_ns`."""
        state = self.account(config.account)
        state.config = config
        state.known_since_ns = state.known_since_ns or at_ns

    def fold(self, sequence: int, appended_ns: int, event: Event) -> None:
        """Take one event. Configuration comes in by `configure`, decoded."""
        self.sequence = sequence
        match event:
            case SignalAccepted():
                self.receipts.fold(event.signal_id, event.received_at_ns)
            case VerdictGiven():
                state = self.account(event.account)
                state.book.fold_verdict(sequence, event)
                if event.facts.instrument is not None:
                    state.instruments[event.symbol] = event.facts.instrument
            case OrderSubmitting():
                state = self.account(event.account)
                self._order(state, event, appended_ns)
                state.matcher.fold_submitting(
                    event,
                    self.receipts.of(event.cause_id),
                    state.instruments.get(event.symbol),
                )
            case _ if isinstance(event, OrderEvent):
                state = self.account(event.account)
                self._order(state, event, appended_ns)
                state.matcher.fold_order(event, appended_ns)
            case DealRecorded():
                self._deal(self.account(event.account), event)
            case OrderMatched():
                self.account(event.account).matcher.fold_matched(event)
            case DiscrepancyFound():
                self.account(event.account).open[event.discrepancy_id] = event
            case DiscrepancyResolved():
                _resolve(self.account(event.account), event)
            case _:
                pass

    def _order(self, state: AccountState, event: OrderEvent, appended_ns: int) -> None:
        known = state.book.orders.get(event.order_id)
        asked = event if isinstance(event, OrderSubmitting) else known and known.submitting
        if asked:
            state.touched[asked.symbol] = self.sequence
        state.book.fold_order(event, appended_ns)

    def _deal(self, state: AccountState, event: DealRecorded) -> None:
        state.touched[event.deal.symbol] = self.sequence
        state.book.fold_deal(event)
        state.matcher.fold_deal(event)
        state.deals[event.deal.deal_id] = event.deal.venue_time_ns
        if len(state.deals) > DEALS_REMEMBERED:
            del state.deals[next(iter(state.deals))]


def base_of(discrepancy_id: str) -> str:
    """A discrepancy's id without the count of its recurrences."""
    return discrepancy_id.rpartition("_")[0] or discrepancy_id


def _resolve(state: AccountState, event: DiscrepancyResolved) -> None:
    found = state.open.pop(event.discrepancy_id, None)
    if found is None:
        return
    base = base_of(event.discrepancy_id)
    state.resolved_count[base] = state.resolved_count.get(base, 0) + 1
    _bound(state.resolved_count)
    if not event.by_a_person:
        return
    if found.kind in BY_AMOUNT:
        try:
            beyond = Decimal(found.actual) - Decimal(found.expected)
        except InvalidOperation:
            return
        state.accepted[found.symbol] = state.accepted.get(found.symbol, Decimal(0)) + beyond
    else:
        state.waived[base] = None
        while len(state.waived) > SETTLED_REMEMBERED:
            del state.waived[next(iter(state.waived))]


def _bound(memory: dict[str, int]) -> None:
    while len(memory) > SETTLED_REMEMBERED:
        del memory[next(iter(memory))]
