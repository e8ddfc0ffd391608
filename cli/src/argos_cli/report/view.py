"""What a finished run has to show, as plain values: made by the demo, drawn by `page`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from argos_common.domain.money import plain
from argos_common.domain.verdict import Decision, VerdictGiven

from argos_cli.report.hops import Hop
from argos_cli.report.orders import OrderRow, RunFold
from argos_cli.report.trades import TradeLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One thing that had to be so. `detail`: what was seen."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLine:
    """One alert: what it said, what the poster was answered, what each account made of it."""

    number: int
    title: str
    alert: str
    answer: str
    outcomes: tuple[tuple[str, str, str], ...]
    """(account, one word, the reason in plain words)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLine:
    """One order: intended against done. Slippage and cost are adverse: positive is worse."""

    account: str
    order_id: str
    what: str
    intended: Decimal | None
    done: Decimal | None
    filled: str
    whole: bool
    slippage: Decimal | None
    slippage_cash: Decimal | None
    cost: Decimal | None
    latency_sec: Decimal | None
    method: str


@dataclass(frozen=True, slots=True)
class PricePoint:
    at_ns: int
    bid: Decimal
    ask: Decimal


def price_step(points: Sequence[PricePoint]) -> Decimal:
    """One unit of the last digit in use; a single price may have lost zeros at its end."""
    return Decimal(1).scaleb(
        min(int(p.as_tuple().exponent) for q in points for p in (q.bid, q.ask))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A whole run. `document` is what --json prints and stats.json keeps."""

    title: str
    started: str
    seconds: float
    promises: Sequence[Promise]
    signals: Sequence[SignalLine]
    trades: Sequence[TradeLine]
    matches: Sequence[MatchLine]
    zeros: Mapping[str, int]
    hops: Sequence[Hop] = ()
    hops_of: str = ""
    prices: Mapping[str, Sequence[PricePoint]] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises)


WORDS = {
    Decision.APPROVED: "approved",
    Decision.PARTLY: "partly approved",
    Decision.REFUSED: "refused",
}


def outcome(verdict: VerdictGiven) -> tuple[str, str, str]:
    """(account, one word, reason) of a verdict."""
    word = WORDS[verdict.decision]
    return verdict.account, word, verdict.reason.removeprefix(f"{word.capitalize()}: ")


def match_lines(fold: RunFold) -> list[MatchLine]:
    """Every order that reached a venue, oldest first."""
    return [_match_line(row) for row in fold.orders.values() if row.reached_venue]


def _match_line(row: OrderRow) -> MatchLine:
    claim, match = row.claim, row.match
    done = row.fill.filled_quantity if row.fill else Decimal(0)
    method = match.method.name.lower() if match else "NOT RECONCILED"
    if row.doubt is not None:
        method += f" (was in doubt, found by {row.evidence or 'nothing yet'})"
    return MatchLine(
        account=claim.account,
        order_id=claim.order_id,
        what=f"{claim.side.name.lower()} {plain(claim.quantity)} {claim.symbol}",
        intended=match.intended_price if match else claim.intended_price,
        done=match.average_price if match else None,
        filled=f"{plain(done)} of {plain(claim.quantity)}",
        whole=done == claim.quantity,
        slippage=match.slippage if match else None,
        slippage_cash=match.slippage_cash if match else None,
        cost=match.cost if match else None,
        latency_sec=match.latency_ms / 1000 if match and match.latency_ms is not None else None,
        method=method,
    )
