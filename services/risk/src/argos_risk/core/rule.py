"""What a rule is: one object with a name, the kind of leg it judges, and one check.

A rule for legs that OPEN fails when what it needs is missing: no data, no new risk. Legs that CLOSE
are judged by one rule only, which asks whether there is something to close. Every rule of a leg is
always checked, so a refusal names all that stands against it, not only the first.

A finding names what was measured and what is allowed. Only one that fails carries a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.config import AccountConfig, StrategyRoute
from argos_common.domain.money import plain
from argos_common.domain.side import Side
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import Effect, Facts, RuleResult

from argos_risk.core.exposure import Exposure
from argos_risk.core.protection import Protection
from argos_risk.core.sizing import Size
from argos_risk.core.state import AccountRisk


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A leg that would add risk, with everything it is judged by. `new_trade`: not an add."""

    risk: AccountRisk
    config: AccountConfig | None
    route: StrategyRoute | None
    signal: SignalAccepted
    facts: Facts
    side: Side
    size: Size
    protection: Protection
    exposure: Exposure
    day_loss: Decimal | None
    new_trade: bool

    @property
    def value(self) -> Decimal | None:
        """What the leg is worth in account currency, at the dearer side of the quote."""
        facts = self.facts
        if self.size.quantity is None or facts.instrument is None:
            return None
        if facts.bid is None or facts.ask is None:
            return None
        return facts.instrument.value(self.size.quantity, max(facts.bid, facts.ask))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCase:
    """A leg that would take risk away. `held`: the position it meets; `note`: why there is none."""

    held: Decimal
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule measured and allows, as text. `sentence` only if it failed."""

    passed: bool
    value: str
    limit: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class OpenRule:
    """A rule for legs that add risk."""

    name: str
    check: Callable[[OpenCase], Finding]
    effect: Effect = Effect.OPEN


@dataclass(frozen=True, slots=True)
class CloseRule:
    """A rule for legs that take risk away."""

    name: str
    check: Callable[[CloseCase], Finding]
    effect: Effect = Effect.CLOSE


def result(name: str, finding: Finding) -> RuleResult:
    """A finding as the verdict records it."""
    return RuleResult(
        rule=name,
        passed=finding.passed,
        value=finding.value,
        limit=finding.limit,
        sentence=finding.sentence,
    )


def allowed(value: str, limit: str) -> Finding:
    """The rule has nothing against it."""
    return Finding(passed=True, value=value, limit=limit)


def refused(value: str, limit: str, sentence: str) -> Finding:
    """The rule refuses, and says why."""
    return Finding(passed=False, value=value, limit=limit, sentence=sentence)


def missing(what: str, limit: str = "known") -> Finding:
    """A rule that could not look: it fails."""
    return refused("unknown", limit, f"{what} is not known")


def at_most(what: str, value: Decimal, limit: Decimal, unit: str = "") -> Finding:
    """A measure against its limit."""
    tail = f" {unit}" if unit else ""
    shown = money if unit and unit != "%" else plain
    if value <= limit:
        return allowed(plain(value), plain(limit))
    return refused(
        plain(value),
        plain(limit),
        f"{what} {shown(value)}{tail} is above the limit of {shown(limit)}{tail}",
    )


def money(value: Decimal) -> str:
    """An amount for a person: two places, thousands apart."""
    return f"{value:,.2f}"


def seconds(duration_ns: int) -> str:
    """A duration for a person, in seconds with one place, rounded down."""
    whole, tenth = divmod(duration_ns // 100_000_000, 10)
    return f"{whole}.{tenth} s"
