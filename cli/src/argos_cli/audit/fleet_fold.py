"""What the log adds up to, for tools: books and controls of every account, folded as services do.

Pure: the same entries give the same state. Holds no clock and asks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from argos_common.domain.book import Book, OrderView
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import (
    AccountControl,
    ConfigApplied,
    Control,
    fold_control,
    fold_unreadable,
)
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.order import LIVE, UNRESOLVED, OrderEvent
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.wire.documents import read_config
from argos_common.wire.subjects import control_account


@dataclass(slots=True)
class FleetFold:
    """Folded by `take`. `oddities`: what the order table calls illegal, (sequence, sentence)."""

    books: dict[Account, Book] = field(default_factory=dict)
    controls: dict[Account, AccountControl] = field(default_factory=dict)
    configs: dict[Account, AccountConfig] = field(default_factory=dict)
    oddities: list[tuple[int, str]] = field(default_factory=list)
    sequence: int = 0

    def take(self, entry: Entry, event: Event | None) -> None:
        """Fold one entry; `event` is None if it cannot be read."""
        self.sequence = entry.sequence
        if event is None:
            account = control_account(entry.subject)
            if account is not None:
                self.controls[account] = fold_unreadable(self.control(account), entry.sequence)
        elif isinstance(event, Control):
            self._control(entry, event)
        elif isinstance(event, VerdictGiven):
            self.book(event.account).fold_verdict(entry.sequence, event)
        elif isinstance(event, OrderEvent):
            oddity = self.book(event.account).fold_order(event, entry.appended_ns)
            if oddity:
                self.oddities.append((entry.sequence, oddity))
        elif isinstance(event, DealRecorded):
            self.book(event.account).fold_deal(event)

    def book(self, account: Account) -> Book:
        return self.books.setdefault(account, Book(account=account))

    def control(self, account: Account) -> AccountControl:
        return self.controls.get(account, AccountControl())

    def accounts(self) -> tuple[Account, ...]:
        """Every account the log speaks of, sorted."""
        return tuple(sorted({*self.books, *self.controls}))

    def under_way(self, account: Account) -> tuple[OrderView, ...]:
        """Orders that add risk and that the venue may hold or fill, oldest first."""
        if account not in self.books:
            return ()
        return tuple(
            order
            for order in self.books[account].orders.values()
            if order.state in LIVE and order.submitting and order.submitting.effect is Effect.OPEN
        )

    def in_doubt(self) -> tuple[tuple[Account, OrderView], ...]:
        """Orders whose outcome nobody knows."""
        return tuple(
            (account, order)
            for account, book in self.books.items()
            for order in book.orders.values()
            if order.state in UNRESOLVED
        )

    def _control(self, entry: Entry, event: Control) -> None:
        state = self.control(event.account)
        self.controls[event.account] = fold_control(state, entry.sequence, event)
        if isinstance(event, ConfigApplied):
            config = read_config(event.document)
            if config is not None:
                self.configs[event.account] = config
            else:
                self.oddities.append(
                    (entry.sequence, f"the configuration of {event.account} cannot be read")
                )
