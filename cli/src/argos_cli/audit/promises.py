"""The promises, checked on the log: what `argos verify` says about a fleet.

    one verdict        every accepted signal has exactly one verdict per account it is routed to
    one live order     at most one live order per (trade, account, leg, part), at every moment
    claimed first      no order event without a submission, and every claim fenced by the newest
                       control event of its account
    nothing after kill no submission that adds risk while a latch is closed
    never too much     no leg filled beyond what was approved
    deals add up       the positions of the book are the sum of the deals, each deal once
    venue agrees       no discrepancy stands open
    readable           every entry can be decoded, and no order did what its table calls illegal

An order that a restore put back stands where it was put, not where it was claimed: of it, neither
fence nor kill is asked.

Pure. A signal is routed to the accounts whose configuration in force lists its strategy; one that
none lists waits for the first configuration that does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.control import ConfigApplied
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, SignalId
from argos_common.domain.order import LIVE, OrderFilled, OrderSubmitting
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved
from argos_common.domain.restore import LogRestored
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import Effect, Origin, VerdictGiven

from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.client.history import Recorded

SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise: `looked_at` says how much was checked, `broken` every breach found."""

    name: str
    looked_at: str
    broken: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.broken


@dataclass(slots=True)
class Audit:
    """Fed with every entry of a log in order; `checks` tells what was found."""

    fold: FleetFold = field(default_factory=FleetFold)
    _signals: dict[SignalId, tuple[int, str, tuple[Account, ...]]] = field(default_factory=dict)
    _verdicts: dict[tuple[SignalId, Account], int] = field(default_factory=dict)
    _held: dict[tuple[Account, str], Decimal] = field(default_factory=dict)
    _deals: dict[tuple[Account, str], int] = field(default_factory=dict)
    _discrepancies: dict[str, str] = field(default_factory=dict)
    _submissions: int = 0
    _kills: int = 0
    _broken: dict[str, list[str]] = field(default_factory=dict)

    def take(self, item: Recorded) -> None:
        """One more entry."""
        event, sequence = item.event, item.entry.sequence
        if event is None:
            self._add("readable", f"entry {sequence} on {item.entry.subject} cannot be decoded")
            self.fold.take(item.entry, None)
            return
        if isinstance(event, OrderSubmitting):
            self._before_submission(event, sequence)
        known_oddities = len(self.fold.oddities)
        self.fold.take(item.entry, event)
        for at, oddity in self.fold.oddities[known_oddities:]:
            name = "claimed first" if "without a submission" in oddity else "readable"
            if "found at the venue while" not in oddity:
                self._add(name, f"entry {at}: {oddity}")
        self._after(event, sequence)

    def missing_verdicts(self) -> list[str]:
        """Accepted signals that wait for a verdict, one sentence each."""
        missing = []
        for signal_id, (sequence, strategy, accounts) in self._signals.items():
            for account in accounts:
                if (signal_id, account) not in self._verdicts:
                    missing.append(
                        f"signal {signal_id} of {strategy} (entry {sequence}) has no verdict on"
                        f" {account}"
                    )
        return missing

    def checks(self) -> tuple[Check, ...]:
        """Every promise, in the order of the module's text."""
        broken = {name: list(found) for name, found in self._broken.items()}
        broken.setdefault("one verdict", []).extend(self.missing_verdicts())
        broken.setdefault("deals add up", []).extend(self._sums())
        broken.setdefault("venue agrees", []).extend(self._discrepancies.values())
        deals = f"{len(self._deals)} deals"
        looked_at = {
            "one verdict": f"{len(self._signals)} signals, {len(self._verdicts)} verdicts",
            "one live order": f"{self._submissions} submissions",
            "claimed first": f"{self._submissions} submissions",
            "nothing after kill": f"{self._kills} submissions while a latch was closed",
            "never too much": deals,
            "deals add up": deals,
            "venue agrees": "discrepancies on record",
            "readable": f"entries up to {self.fold.sequence}",
        }
        return tuple(
            Check(name=name, looked_at=text, broken=tuple(broken.get(name, ())))
            for name, text in looked_at.items()
        )

    def _add(self, name: str, sentence: str) -> None:
        self._broken.setdefault(name, []).append(sentence)

    def _before_submission(self, event: OrderSubmitting, sequence: int) -> None:
        """What must be true of the state that the claim met."""
        control = self.fold.control(event.account)
        where = f"order {event.order_id} on {event.account} (entry {sequence})"
        self._submissions += 1
        if control.killed:
            self._kills += 1
            if event.effect is Effect.OPEN:
                self._add("nothing after kill", f"{where} adds risk after {control.kill_reason!r}")
        if event.control_sequence != control.sequence:
            self._add(
                "claimed first",
                f"{where} was fenced by {event.control_sequence}, the newest control event was"
                f" {control.sequence}",
            )

    def _after(self, event: Event, sequence: int) -> None:
        match event:
            case SignalAccepted():
                accounts = tuple(
                    a for a in sorted(self.fold.configs) if self._lists(a, event.strategy)
                )
                self._signals[event.signal_id] = (sequence, event.strategy, accounts)
            case ConfigApplied():
                self._route_waiting(event.account)
            case VerdictGiven() if event.origin in (Origin.SIGNAL, Origin.RESTORE):
                key = (event.cause_id, event.account)
                self._verdicts[key] = self._verdicts.get(key, 0) + 1
                if self._verdicts[key] > 1:
                    self._add(
                        "one verdict",
                        f"signal {event.cause_id} has {self._verdicts[key]} verdicts on"
                        f" {event.account} (entry {sequence})",
                    )
            case LogRestored():
                self._put_back(event)
            case OrderSubmitting():
                self._one_live(event, sequence)
            case OrderFilled():
                self._not_too_much(event, sequence)
            case DealRecorded():
                self._deal(event, sequence)
            case DiscrepancyFound():
                self._discrepancies[event.discrepancy_id] = (
                    f"{event.account} {event.symbol}: {event.sentence} (entry {sequence})"
                )
            case DiscrepancyResolved():
                self._discrepancies.pop(event.discrepancy_id, None)
            case _:
                pass

    def _put_back(self, event: LogRestored) -> None:
        """What a restore put back had been claimed long before, under the control of its time."""
        for order_id in event.put_back:
            for name in ("claimed first", "nothing after kill"):
                found = self._broken.get(name, [])
                self._broken[name] = [s for s in found if not s.startswith(f"order {order_id} ")]

    def _lists(self, account: Account, strategy: str) -> bool:
        config = self.fold.configs.get(account)
        return config is not None and any(r.strategy == strategy for r in config.strategies)

    def _route_waiting(self, account: Account) -> None:
        """A signal that no account listed is judged by the first one that does."""
        for signal_id, (sequence, strategy, accounts) in self._signals.items():
            if not accounts and self._lists(account, strategy):
                self._signals[signal_id] = (sequence, strategy, (account,))

    def _one_live(self, event: OrderSubmitting, sequence: int) -> None:
        live = [
            order.order_id
            for order in self.fold.book(event.account).orders.values()
            if (order.trade_id, order.leg, order.part) == (event.trade_id, event.leg, event.part)
            and order.state in LIVE
        ]
        if len(live) > 1:
            self._add(
                "one live order",
                f"trade {event.trade_id} on {event.account}, leg {event.leg}.{event.part}:"
                f" {', '.join(live)} live at once (entry {sequence})",
            )

    def _not_too_much(self, event: OrderFilled, sequence: int) -> None:
        book = self.fold.book(event.account)
        order = book.orders.get(event.order_id)
        trade = book.trades.get(order.trade_id) if order else None
        view = trade.legs.get(order.leg) if trade and order else None
        if view is None or view.leg.close_all:
            return
        filled = book.filled(view)
        if filled > view.leg.quantity:
            self._add(
                "never too much",
                f"leg {view.leg.leg} of {view.leg.trade_id} on {event.account}: {filled} filled,"
                f" {view.leg.quantity} approved (entry {sequence})",
            )

    def _deal(self, event: DealRecorded, sequence: int) -> None:
        deal = event.deal
        key = (event.account, deal.deal_id)
        if key in self._deals:
            self._add("deals add up", f"deal {deal.deal_id} is on record twice (entry {sequence})")
            return
        self._deals[key] = sequence
        if deal.entry is not DealEntry.BALANCE:
            place = (event.account, deal.symbol)
            self._held[place] = self._held.get(place, Decimal(0)) + deal.position_delta

    def _sums(self) -> list[str]:
        found = []
        for (account, symbol), held in sorted(self._held.items()):
            in_book = self.fold.book(account).held(symbol)
            if in_book != held:
                found.append(f"{account} {symbol}: deals add up to {held}, the book has {in_book}")
        return found
