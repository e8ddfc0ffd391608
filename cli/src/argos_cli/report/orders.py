"""What became of every order and trade of a run, folded from its log. Pure.

`RunFold` takes every entry once, in order. Everything a report shows is derived from what it holds:
nothing here asks a service what it believes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from argos_common.domain.control import KillEngaged, KillReleased
from argos_common.domain.event import Event
from argos_common.domain.order import (
    Hops,
    OrderAbsent,
    OrderAcknowledged,
    OrderDeclined,
    OrderFilled,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSubmitting,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved, OrderMatched
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealEntry, DealRecorded
from argos_common.domain.verdict import Leg, VerdictGiven

from argos_cli.client.history import Recorded


@dataclass(frozen=True, slots=True)
class At:
    """An event and where it stands: log sequence, and the log's clock."""

    sequence: int
    appended_ns: int


@dataclass(slots=True, kw_only=True)
class OrderRow:
    """One order. `evidence` is that of the fill that came first; `doubt_ns` 0: never in doubt."""

    claim: OrderSubmitting
    claimed: At
    hops: Hops = Hops()
    fill: OrderFilled | None = None
    filled: At | None = None
    evidence: str = ""
    refused: OrderRefused | None = None
    doubt: OrderInDoubt | None = None
    absent: bool = False
    dealt: At | None = None
    match: OrderMatched | None = None
    matched: At | None = None

    @property
    def reached_venue(self) -> bool:
        """Whether the venue was asked, as far as anybody knows."""
        return not (self.refused is not None and self.refused.by_node) and not self.absent

    @property
    def has_fill(self) -> bool:
        return self.fill is not None and self.fill.filled_quantity > 0


@dataclass(slots=True)
class RunFold:
    """Everything of a run by what it is about. Keys are ids, or (id, account)."""

    signals: dict[str, tuple[SignalAccepted, At]] = field(default_factory=dict)
    refusals: dict[str, SignalRefused] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], tuple[VerdictGiven, At]] = field(default_factory=dict)
    verdicts_given: int = 0
    orders: dict[str, OrderRow] = field(default_factory=dict)
    accounts_of: dict[str, list[str]] = field(default_factory=dict)
    by_cause: dict[str, list[OrderRow]] = field(default_factory=dict)
    declined: dict[tuple[str, str], OrderDeclined] = field(default_factory=dict)
    deals: list[tuple[DealRecorded, At]] = field(default_factory=list)
    discrepancies: dict[str, DiscrepancyFound] = field(default_factory=dict)
    discrepancies_seen: int = 0
    kills: list[tuple[KillEngaged | KillReleased, int]] = field(default_factory=list)

    def take(self, item: Recorded) -> None:
        """Fold one entry; a dead letter tells nothing."""
        at = At(item.entry.sequence, item.entry.appended_ns)
        match item.event:
            case None:
                pass
            case SignalAccepted() as event:
                self.signals[event.signal_id] = (event, at)
            case SignalRefused() as event:
                self.refusals[event.signal_id] = event
            case VerdictGiven() as event:
                self.verdicts[event.cause_id, event.account] = (event, at)
                self.verdicts_given += 1
                self.accounts_of.setdefault(event.cause_id, []).append(event.account)
            case DealRecorded() as event if event.deal.entry is not DealEntry.BALANCE:
                self.deals.append((event, at))
                row = self.orders.get(event.deal.order_id or "")
                if row is not None and row.dealt is None:
                    row.dealt = at
            case KillEngaged() | KillReleased() as event:
                self.kills.append((event, at.sequence))
            case DiscrepancyFound() as event:
                self.discrepancies[event.discrepancy_id] = event
                self.discrepancies_seen += 1
            case DiscrepancyResolved() as event:
                self.discrepancies.pop(event.discrepancy_id, None)
            case event:
                self._order(event, at)

    def _order(self, event: Event, at: At) -> None:
        if isinstance(event, OrderSubmitting):
            row = self.orders[event.order_id] = OrderRow(claim=event, claimed=at)
            self.by_cause.setdefault(event.cause_id, []).append(row)
            return
        if isinstance(event, OrderDeclined):
            self.declined[event.cause_id, event.account] = event
            return
        known = self.orders.get(getattr(event, "order_id", ""))
        if known is not None:
            _fold_row(known, event, at)

    def orders_of(self, cause_id: str) -> list[OrderRow]:
        """The orders that one signal (or system intent) led to, oldest first."""
        return list(self.by_cause.get(cause_id, ()))

    def legs(self, cause_id: str) -> list[tuple[str, Leg]]:
        """(account, leg) for every leg that was approved for a cause."""
        return [
            (account, leg)
            for account in self.accounts_of.get(cause_id, ())
            for leg in self.verdicts[cause_id, account][0].legs
        ]

    def duplicate_orders(self) -> int:
        """Orders that filled for the same attempt of the same leg, beyond one each."""
        seen: dict[tuple[str, str, int, int], int] = {}
        for row in self.orders.values():
            if row.has_fill and row.fill is not None and row.fill.done:
                claim = row.claim
                key = (claim.trade_id, claim.account, claim.leg, claim.part)
                whole = row.fill.filled_quantity >= claim.quantity
                seen[key] = seen.get(key, 0) + (1 if whole else 0)
        return sum(count - 1 for count in seen.values() if count > 1)

    def entries_after_kill(self) -> list[OrderRow]:
        """Orders that add risk and were claimed while a kill of their account stood."""
        found = []
        for row in self.orders.values():
            if row.claim.effect.name == "OPEN" and self._killed(row.claim.account, row.claimed):
                found.append(row)
        return found

    def _killed(self, account: str, at: At) -> bool:
        latches: dict[str, bool] = {}
        for event, sequence in self.kills:
            if event.account == account and sequence < at.sequence:
                latches[event.scope.name] = isinstance(event, KillEngaged)
        return any(latches.values())


def _fold_row(row: OrderRow, event: Event, at: At) -> None:
    match event:
        case OrderFilled():
            row.fill, row.evidence = event, row.evidence or event.evidence
            row.filled = row.filled or at
            row.hops = event.hops if event.hops.called_ns else row.hops
            row.absent = False
        case OrderAcknowledged():
            row.hops = event.hops
        case OrderRefused():
            row.refused, row.hops = event, event.hops
        case OrderInDoubt():
            row.doubt = event
        case OrderAbsent() | OrderPresumedAbsent():
            row.absent = True
        case OrderMatched():
            row.match, row.matched = event, at
        case _:
            pass
