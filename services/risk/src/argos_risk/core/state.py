"""What risk knows, folded from the log and from nothing else.

- A *cause* is what a verdict answers: an accepted signal, or a trade that a flatten wants closed.
  Folding the cause makes it pending on each account it concerns, in log order; folding its verdict
  takes it away. So there is exactly one verdict per cause and account, whoever wrote it. A verdict
  that a restore has put back may stand before its cause, whose signal is lost and comes again: then
  the cause is judged already.
- A signal concerns every account whose configuration in force lists its strategy. One that no
  account lists yet waits for the first configuration that does, and is judged then.
- A flatten makes one cause of every trade that holds or is about to hold something when it is
  folded, external trades included.
- The loss of a day is known from deals (realised), from the account's equity in the day's first
  verdict (baseline; moved by deposits and withdrawals), and from the facts of the moment.
- A mark is the last price and contract of a symbol that the log has shown, for valuing what is held.
- The orders that could still add risk when a kill was folded are kept: the kill's reply names them.
- A configuration that cannot be read, or whose hash is wrong, keeps the last good one for routing
  and bars new risk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from argos_common.domain.book import Book, TradeView
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import (
    AccountControl,
    ConfigApplied,
    ConfigProposed,
    Control,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
    fold_control,
)
from argos_common.domain.control import fold_unreadable as unreadable_control
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, SignalId, Symbol, TradeId, system_cause_id
from argos_common.domain.order import LIVE, OrderEvent
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.times import DAY_NS
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import Effect, Origin, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.wire.subjects import PREFIX

DAYS_KEPT = 3
REQUESTS_KEPT = 64
UNROUTED_MAX = 1_000

Kept = TypeVar("Kept")
ReadConfig = Callable[[str], AccountConfig | None]
"""The configuration in a document, None if it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something that needs a verdict. `sequence` is where the log says so."""

    cause_id: SignalId
    origin: Origin
    sequence: int
    signal: SignalAccepted | None = None
    trade_id: TradeId | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An open discrepancy: no new risk on its symbol, on any if the symbol is empty."""

    symbol: Symbol
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    price: Decimal
    contract_size: Decimal
    quote_to_account: Decimal

    def value(self, quantity: Decimal) -> Decimal:
        """What `quantity` is worth, in the account's currency."""
        return abs(quantity) * self.contract_size * self.price * self.quote_to_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Money of one UTC day. `baseline`: equity at its first verdict, with transfers since."""

    realised: Decimal = Decimal(0)
    baseline: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A kill as folded: what could still add risk at that moment was already under way."""

    sequence: int
    request_id: str
    under_way: tuple[OrderId, ...]


@dataclass(slots=True, kw_only=True)
class AccountRisk:
    """One account. `config_wrong` says why new risk is barred; `requests`: id -> log sequence."""

    account: Account
    book: Book
    control: AccountControl = field(default_factory=AccountControl)
    config: AccountConfig | None = None
    config_wrong: str = "the account has no configuration yet"
    verdict_head: int = 0
    pending: dict[SignalId, Cause] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    marks: dict[Symbol, Mark] = field(default_factory=dict)
    days: dict[str, Day] = field(default_factory=dict)
    kill: Kill | None = None
    kills: dict[str, Kill] = field(default_factory=dict)
    """By request id: each reply names what its own kill came too late for."""
    requests: dict[str, int] = field(default_factory=dict)
    put_back: dict[SignalId, bool] = field(default_factory=dict)
    """Causes whose verdict a restore has put back."""

    def day(self, at_ns: int) -> Day:
        """The money of the UTC day of a moment."""
        return self.days.get(str(at_ns // DAY_NS), Day())

    def lists(self, strategy: str) -> bool:
        """Whether signals of the strategy concern this account."""
        return self.config is not None and any(
            route.strategy == strategy for route in self.config.strategies
        )


@dataclass(slots=True, kw_only=True)
class RiskState:
    """The whole fleet. `sequence` is the last entry folded."""

    sequence: int = 0
    accounts: dict[Account, AccountRisk] = field(default_factory=dict)
    unrouted: dict[SignalId, SignalAccepted] = field(default_factory=dict)


def next_cause(state: RiskState, account: str) -> Cause | None:
    """The oldest cause of the account that has no verdict yet."""
    risk = state.accounts.get(Account(account))
    return next(iter(risk.pending.values()), None) if risk is not None else None


def fold(state: RiskState, entry: Entry, event: Event, read_config: ReadConfig) -> tuple[str, ...]:
    """Take one event; returns what a person should be told of it."""
    state.sequence = entry.sequence
    match event:
        case SignalAccepted():
            _signal(state, entry.sequence, event)
        case VerdictGiven():
            _verdict(_of(state, event.account), entry.sequence, event)
        case KillEngaged() | KillReleased() | ConfigApplied() | ConfigProposed() | FlattenOrdered():
            return _control(state, entry.sequence, event, read_config)
        case DealRecorded():
            _deal(_of(state, event.account), event)
        case DiscrepancyFound():
            hold = Hold(symbol=event.symbol, sentence=event.sentence)
            _of(state, event.account).holds[event.discrepancy_id] = hold
        case DiscrepancyResolved():
            _of(state, event.account).holds.pop(event.discrepancy_id, None)
        case _:
            if isinstance(event, OrderEvent):
                oddity = _of(state, event.account).book.fold_order(event, entry.appended_ns)
                return (oddity,) if oddity else ()
    return ()


def fold_unreadable(state: RiskState, entry: Entry) -> None:
    """Take an entry that cannot be read, as from a newer program, for what its subject says.

    Verdicts and commands are appended on the heads of these two subjects: a head that is not known
    would refuse them for ever, exits too. A control event counts as a kill of the account.
    """
    state.sequence = entry.sequence
    kind, _, name = entry.subject.removeprefix(PREFIX).partition(".")
    match kind:
        case "verdict":
            _of(state, Account(name)).verdict_head = entry.sequence
        case "control":
            risk = _of(state, Account(name))
            risk.control = unreadable_control(risk.control, entry.sequence)
        case _:
            pass


def _of(state: RiskState, account: Account) -> AccountRisk:
    risk = state.accounts.get(account)
    if risk is None:
        risk = state.accounts[account] = AccountRisk(account=account, book=Book(account=account))
    return risk


def _signal(state: RiskState, sequence: int, signal: SignalAccepted) -> None:
    concerned = [risk for risk in state.accounts.values() if risk.lists(signal.strategy)]
    for risk in concerned:
        _ask(risk, sequence, signal)
    if not concerned:
        state.unrouted[signal.signal_id] = signal
        if len(state.unrouted) > UNROUTED_MAX:
            del state.unrouted[next(iter(state.unrouted))]


def _ask(risk: AccountRisk, sequence: int, signal: SignalAccepted) -> None:
    if signal.signal_id in risk.put_back:
        return
    cause = Cause(cause_id=signal.signal_id, origin=Origin.SIGNAL, sequence=sequence, signal=signal)
    risk.pending.setdefault(signal.signal_id, cause)


def _verdict(risk: AccountRisk, sequence: int, verdict: VerdictGiven) -> None:
    risk.pending.pop(verdict.cause_id, None)
    if verdict.origin is Origin.RESTORE:
        risk.put_back[verdict.cause_id] = True
    risk.verdict_head = sequence
    risk.book.fold_verdict(sequence, verdict)
    facts = verdict.facts
    if facts.instrument is not None and facts.bid is not None and facts.ask is not None:
        risk.marks[verdict.symbol] = Mark(
            price=max(facts.bid, facts.ask),
            contract_size=facts.instrument.contract_size,
            quote_to_account=facts.instrument.quote_to_account,
        )
    day = risk.day(facts.now_ns)
    if day.baseline is None and facts.equity is not None and facts.venue_ready:
        _keep_day(risk, facts.now_ns, replace(day, baseline=facts.equity))


def _deal(risk: AccountRisk, event: DealRecorded) -> None:
    deal = event.deal
    risk.book.fold_deal(event)
    day = risk.day(deal.venue_time_ns)
    if deal.entry is DealEntry.BALANCE:
        if day.baseline is not None:
            moved = replace(day, baseline=day.baseline + deal.profit)
            _keep_day(risk, deal.venue_time_ns, moved)
        return
    mark = risk.marks.get(deal.symbol)
    if mark is not None:
        risk.marks[deal.symbol] = replace(mark, price=deal.price)
    fee = deal.fee if not deal.fee_asset else Decimal(0)
    realised = day.realised + deal.profit + deal.commission + deal.swap + fee
    _keep_day(risk, deal.venue_time_ns, replace(day, realised=realised))


def _keep_day(risk: AccountRisk, at_ns: int, day: Day) -> None:
    risk.days[str(at_ns // DAY_NS)] = day
    while len(risk.days) > DAYS_KEPT:
        del risk.days[min(risk.days, key=int)]


def _control(
    state: RiskState, sequence: int, event: Control, read_config: ReadConfig
) -> tuple[str, ...]:
    risk = _of(state, event.account)
    risk.control = fold_control(risk.control, sequence, event)
    match event:
        case KillEngaged():
            _remember(risk, event.request_id, sequence)
            risk.kill = Kill(
                sequence=sequence, request_id=event.request_id, under_way=under_way(risk.book)
            )
            risk.kills[event.request_id] = risk.kill
            _keep_newest(risk.kills)
        case KillReleased():
            _remember(risk, event.request_id, sequence)
        case FlattenOrdered():
            _remember(risk, event.request_id, sequence)
            _flatten(risk, sequence, event)
        case ConfigApplied():
            return _configure(state, risk, sequence, event, read_config)
        case ConfigProposed():
            pass
    return ()


def _remember(risk: AccountRisk, request_id: str, sequence: int) -> None:
    risk.requests[request_id] = sequence
    _keep_newest(risk.requests)


def _keep_newest(by_request: dict[str, Kept]) -> None:
    while len(by_request) > REQUESTS_KEPT:
        del by_request[next(iter(by_request))]


def _configure(
    state: RiskState,
    risk: AccountRisk,
    sequence: int,
    event: ConfigApplied,
    read_config: ReadConfig,
) -> tuple[str, ...]:
    config = read_config(event.document)
    whole = hashlib.sha256(event.document.encode()).hexdigest() == event.config_hash
    if config is None or not whole or config.account != event.account:
        risk.config_wrong = f"the configuration {event.config_hash[:12]} cannot be read"
        return (f"{event.account}: {risk.config_wrong}; no new risk until another is applied",)
    risk.config, risk.config_wrong = config, ""
    waiting = [signal for signal in state.unrouted.values() if risk.lists(signal.strategy)]
    for signal in waiting:
        _ask(risk, sequence, signal)
        del state.unrouted[signal.signal_id]
    return ()


def _flatten(risk: AccountRisk, sequence: int, event: FlattenOrdered) -> None:
    for trade in risk.book.trades.values():
        if event.symbol and trade.symbol != event.symbol:
            continue
        if (
            trade.position == 0
            and risk.book.expected(trade) == 0
            and not may_open(risk.book, trade)
        ):
            continue
        cause_id = system_cause_id("flatten", risk.account, sequence, trade.trade_id)
        risk.pending[cause_id] = Cause(
            cause_id=cause_id,
            origin=Origin.FLATTEN,
            sequence=sequence,
            trade_id=trade.trade_id,
            reason=event.reason,
        )


def may_open(book: Book, trade: TradeView) -> bool:
    """Whether an order of the trade that adds risk is at the venue, or may be."""
    return any(
        book.orders[order_id].state in LIVE
        for view in trade.legs.values()
        if view.leg.effect is Effect.OPEN
        for order_id in view.orders
    )


def under_way(book: Book) -> tuple[OrderId, ...]:
    """Orders that add risk, are claimed, and may still fill: what a kill comes too late for."""
    return tuple(
        order.order_id
        for order in book.orders.values()
        if order.state in LIVE
        and order.submitting is not None
        and order.submitting.effect is Effect.OPEN
    )
