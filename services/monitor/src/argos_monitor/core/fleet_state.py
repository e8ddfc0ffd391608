"""What the log adds up to for whoever watches: accounts, kill switches, doubt, counts of the day.

`FleetState.fold` is the only thing that changes it, besides `configure` and `dead_letter`, which
the follower calls with what it decoded. Things that happen once (a kill, a late fill, a dead
letter) become notices; things that last are read off the state by `conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from argos_common.domain.book import NOTHING_LEFT, Book, OrderView
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import (
    AccountControl,
    Control,
    KillReleased,
    Scope,
    fold_control,
    fold_unreadable,
)
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.order import (
    OrderAcknowledged,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderRefused,
    OrderState,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.times import DAY_NS
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.wire.subjects import control_account

from argos_monitor.core.notice import Notice, digest

NOTICES_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFill:
    order_id: str
    trade_id: str
    symbol: str
    quantity: str
    price: str
    at_ns: int


@dataclass(slots=True, kw_only=True)
class AccountState:
    """One account. `failures`: orders refused in a row, the newest at `failed_sequence`."""

    account: Account
    book: Book
    control: AccountControl = field(default_factory=AccountControl)
    config: AccountConfig | None = None
    discrepancies: dict[str, tuple[int, DiscrepancyFound]] = field(default_factory=dict)
    last_fill: LastFill | None = None
    failures: int = 0
    failed_sequence: int = 0
    failure: str = ""

    def in_doubt(self) -> tuple[OrderView, ...]:
        return tuple(
            order for order in self.book.orders.values() if order.state is OrderState.IN_DOUBT
        )

    def held_symbols(self) -> tuple[str, ...]:
        """Symbols that take no new risk because of an open discrepancy."""
        return tuple(sorted({found.symbol for _, found in self.discrepancies.values()}))


@dataclass(slots=True)
class Counts:
    """What was recorded on one day, UTC by the log's clock."""

    day: int = 0
    signals: int = 0
    refused_at_door: int = 0
    verdicts: int = 0
    orders: int = 0
    fills: int = 0
    matched: int = 0


@dataclass(slots=True)
class FleetState:
    """`notices`: by alert id, what happened once and is not on record as an alert yet."""

    accounts: dict[Account, AccountState] = field(default_factory=dict)
    today: Counts = field(default_factory=Counts)
    strategies: dict[str, int] = field(default_factory=dict)
    """When a signal of a strategy was last recorded, by the log's clock."""

    notices: dict[str, Notice] = field(default_factory=dict)
    sequence: int = 0
    appended_ns: int = 0

    def account(self, name: Account) -> AccountState:
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = AccountState(account=name, book=Book(account=name))
        return found

    def configure(self, config: AccountConfig) -> None:
        self.account(config.account).config = config

    def dead_letter(self, sequence: int, appended_ns: int, subject: str, reason: str) -> None:
        """An entry that could not be decoded."""
        self.sequence, self.appended_ns = sequence, appended_ns
        name = control_account(subject)
        if name is not None:  # risk and bridge take it for a kill: so it is shown as one
            account = self.account(name)
            account.control = fold_unreadable(account.control, sequence)
        self._notify(
            Notice(
                alert_id=f"deadletter-{sequence}",
                level="critical",
                code="dead-letter",
                sentence=f"log entry {sequence} on {subject} cannot be decoded ({reason}): it is"
                " skipped by everyone; find out who wrote it",
            )
        )

    def fold(self, sequence: int, appended_ns: int, event: Event) -> None:
        """Take one event."""
        self.sequence, self.appended_ns = sequence, appended_ns
        if appended_ns // DAY_NS != self.today.day:
            self.today = Counts(day=appended_ns // DAY_NS)
        match event:
            case SignalAccepted() | SignalRefused():
                self._signal(event, appended_ns)
            case VerdictGiven():
                self.today.verdicts += 1
                self.account(event.account).book.fold_verdict(sequence, event)
            case _ if isinstance(event, Control):
                self._control(sequence, event)
            case DealRecorded() | OrderMatched() | DiscrepancyFound() | DiscrepancyResolved():
                self._reconciled(sequence, event)
            case AlertRaised():
                self.notices.pop(event.alert_id, None)
            case _ if isinstance(event, OrderEvent):
                self._order(sequence, appended_ns, event)
            case _:
                pass

    # --- inside

    def _signal(self, event: SignalAccepted | SignalRefused, appended_ns: int) -> None:
        if isinstance(event, SignalAccepted):
            self.today.signals += 1
        else:
            self.today.refused_at_door += 1
        if event.strategy:
            self.strategies[event.strategy] = appended_ns

    def _reconciled(
        self,
        sequence: int,
        event: DealRecorded | OrderMatched | DiscrepancyFound | DiscrepancyResolved,
    ) -> None:
        state = self.account(event.account)
        match event:
            case DealRecorded():
                state.book.fold_deal(event)
            case OrderMatched():
                self.today.matched += 1
            case DiscrepancyFound():
                state.discrepancies[event.discrepancy_id] = (sequence, event)
            case DiscrepancyResolved():
                state.discrepancies.pop(event.discrepancy_id, None)

    def _control(self, sequence: int, event: Control) -> None:
        state = self.account(event.account)
        state.control = fold_control(state.control, sequence, event)
        if isinstance(event, KillReleased):
            where = "the fleet" if event.scope is Scope.FLEET else f"account {event.account}"
            self._notify(
                Notice(
                    alert_id=f"kill-released-{digest(event.request_id or str(sequence))}",
                    level="warning",
                    code="kill-released",
                    sentence=f"the kill switch of {where} was released by {event.actor}:"
                    f" {event.reason}",
                    account="" if event.scope is Scope.FLEET else event.account,
                )
            )

    def _order(self, sequence: int, appended_ns: int, event: OrderEvent) -> None:
        state = self.account(event.account)
        known = state.book.orders.get(event.order_id)
        trade_id = known.trade_id if known else ""
        if isinstance(event, OrderDeclined):
            self._declined(sequence, state, event)
        oddity = state.book.fold_order(event, appended_ns)
        if oddity:
            self._notify(
                Notice(
                    alert_id=f"oddity-{sequence}",
                    level="critical",
                    code="oddity",
                    sentence=f"{oddity} (account {event.account}, log entry {sequence})",
                    account=event.account,
                    trade_id=trade_id,
                )
            )
        match event:
            case OrderSubmitting():
                self.today.orders += 1
            case OrderFilled():
                self.today.fills += 1
                state.failures = 0
                state.last_fill = LastFill(
                    order_id=event.order_id,
                    trade_id=trade_id,
                    symbol=known.submitting.symbol if known and known.submitting else "",
                    quantity=str(event.filled_quantity),
                    price=str(event.average_price),
                    at_ns=event.at_ns,
                )
            case OrderAcknowledged():
                state.failures = 0
            case OrderRefused() if event.refusal is not RefusalClass.NOTHING_TO_CLOSE:
                state.failures += 1
                state.failed_sequence, state.failure = sequence, event.sentence
            case _:
                pass

    def _declined(self, sequence: int, state: AccountState, event: OrderDeclined) -> None:
        """An exit that is given up leaves risk on that was to be taken off: nobody tries again."""
        trade = state.book.trades.get(event.trade_id)
        view = trade.legs.get(event.leg) if trade else None
        if view is None or view.leg.effect is not Effect.CLOSE or event.code == NOTHING_LEFT:
            return
        self._notify(
            Notice(
                alert_id=f"exit-given-up-{sequence}",
                level="critical",
                code="exit-given-up",
                sentence=f"an exit of {event.symbol} was given up ({event.sentence}): what it was to"
                " close is still open; flatten it, or close it at the venue",
                account=event.account,
                trade_id=event.trade_id,
            )
        )

    def _notify(self, notice: Notice) -> None:
        self.notices[notice.alert_id] = notice
        while len(self.notices) > NOTICES_MAX:
            del self.notices[next(iter(self.notices))]
