"""Many seeds as one report: as values, and as Markdown for the record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from argos_simulation.ablations import ABLATIONS, SHOWN_ELSEWHERE
from argos_simulation.campaign import Run, Search
from argos_simulation.faults import NAMES
from argos_simulation.invariants import INVARIANTS
from argos_simulation.shrink import Shrunk
from argos_simulation.simulate import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Violated:
    """One invariant that did not hold, by number, name and sentence; `detail` is what was seen."""

    number: int
    name: str
    sentence: str
    at_s: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A seed that violated something. `again` replays it whole.

    `least` replays the least of it that still fails, of which `story` tells; both are empty if
    nobody looked for it. `faults`, `alerts`: what that least run still needs.
    """

    seed: int
    violated: tuple[Violated, ...]
    again: str
    least: str = ""
    faults: dict[str, int] = field(default_factory=dict)
    alerts: int | None = None
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What many seeds came to. `fired`: by fault; `evaluated`, `violated`: by invariant number.

    `rest_max_s`: the longest that any took from healing to rest. `digest`: over all digests.
    """

    seeds: int
    first: int
    minutes: float
    without: str
    virtual_hours: float
    wall_s: float
    seeds_per_s: float
    log_entries: int
    orders: int
    rest_max_s: float
    fired: dict[str, int]
    evaluated: dict[int, int]
    violated: dict[int, int]
    digest: str
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


class Tally:
    """Adds outcomes up as they come, whatever their order."""

    def __init__(self, first: int, minutes: float, without: str) -> None:
        self._about = (first, minutes, without)
        self.seeds = self.entries = self.orders = 0
        self.virtual_s = self.rest_max_s = 0.0
        self.fired: Counter[str] = Counter()
        self.evaluated: Counter[int] = Counter()
        self.violated: Counter[int] = Counter()
        self.failures: dict[int, Failure] = {}
        self._digests: dict[int, str] = {}

    def take(self, run: Run, outcome: Outcome) -> None:
        """One more."""
        self.seeds += 1
        self.virtual_s += outcome.virtual_s
        self.rest_max_s = max(self.rest_max_s, outcome.rest_s)
        self.entries += outcome.entries
        self.orders += outcome.orders
        self.fired += outcome.fired
        self.evaluated += outcome.evaluated
        self._digests[outcome.seed] = outcome.digest
        if outcome.violations:
            self.violated.update({each.number for each in outcome.violations})
            self.failures[outcome.seed] = Failure(
                seed=outcome.seed, violated=violated_by(outcome), again=run.again
            )

    def shrunk(self, least: Shrunk) -> None:
        """The least of a failing run was found."""
        known = self.failures[least.run.seed]
        kept = least.run.cut.alerts
        self.failures[least.run.seed] = Failure(
            seed=known.seed,
            violated=violated_by(least.outcome),
            again=known.again,
            least=least.run.again,
            faults=dict(sorted(least.outcome.fired.items())),
            alerts=least.outcome.alerts if kept is None else len(kept),
            story=least.story,
        )

    def report(self, wall_s: float) -> Report:
        """The sum, after so many seconds of real time."""
        first, minutes, without = self._about
        digest = hashlib.sha256()
        for seed in sorted(self._digests):
            digest.update(f"{seed} {self._digests[seed]}\n".encode())
        return Report(
            seeds=self.seeds,
            first=first,
            minutes=minutes,
            without=without,
            virtual_hours=round(self.virtual_s / 3600, 3),
            wall_s=round(wall_s, 1),
            seeds_per_s=round(self.seeds / wall_s, 2) if wall_s else 0.0,
            log_entries=self.entries,
            orders=self.orders,
            rest_max_s=self.rest_max_s,
            fired={name: self.fired[name] for name in NAMES if self.fired[name]},
            evaluated={number: self.evaluated[number] for number in INVARIANTS},
            violated={number: self.violated[number] for number in sorted(self.violated)},
            digest=digest.hexdigest(),
            failures=tuple(self.failures[seed] for seed in sorted(self.failures)),
        )


def violated_by(outcome: Outcome) -> tuple[Violated, ...]:
    """Each invariant once, as it was broken first."""
    found: dict[int, Violated] = {}
    for each in outcome.violations:
        name, sentence = INVARIANTS[each.number]
        found.setdefault(
            each.number,
            Violated(
                number=each.number,
                name=name,
                sentence=sentence,
                at_s=round(each.at_s, 3),
                detail=each.detail,
            ),
        )
    return tuple(found.values())


# --- Markdown


def campaign_page(report: Report) -> str:
    """The report as a page for docs/."""
    rows = [
        ("Seeds", f"{report.seeds:,} (from {report.first}, {report.minutes:g} minutes each)"),
        ("Simulated hours", f"{report.virtual_hours:,.1f}"),
        ("Log entries", f"{report.log_entries:,}"),
        ("Orders", f"{report.orders:,}"),
        ("Faults fired", f"{sum(report.fired.values()):,}"),
        ("Invariants evaluated", f"{sum(report.evaluated.values()):,}"),
        ("Violations", f"{sum(report.violated.values()):,}"),
        ("Longest way from healing to rest", f"{report.rest_max_s:g} s"),
        ("Real time", f"{report.wall_s:,.0f} s, {report.seeds_per_s:g} seeds/s"),
        ("Digest of all seeds", f"`{report.digest[:16]}`"),
    ]
    parts = [
        "# The latest simulated campaign",
        "Written by `argos simulate --out`. What it means stands in [reliability](../reliability.md).",
        _table(("What", "How much"), rows),
        "## Faults fired",
        _table(("Fault", "Times"), [(f"`{name}`", f"{n:,}") for name, n in report.fired.items()]),
        "## Invariants",
        _table(
            ("No.", "Name", "What must hold", "Evaluated", "Violated by seeds"),
            [
                (
                    n,
                    f"`{INVARIANTS[n][0]}`",
                    INVARIANTS[n][1],
                    f"{count:,}",
                    report.violated.get(n, 0),
                )
                for n, count in report.evaluated.items()
            ],
        ),
    ]
    for failure in report.failures:
        parts.append(f"## Seed {failure.seed} failed")
        parts += [f"{each.number} {each.name}: {each.detail}" for each in failure.violated]
        parts.append(f"    {failure.least or failure.again}")
    return "\n\n".join(parts) + "\n"


def ablation_page(found: Sequence[Search]) -> str:
    """How many seeds each safeguard's absence took to be noticed, as a page for docs/."""
    rows = [
        (
            f"`{each.name}`",
            ABLATIONS[each.name].what,
            each.tried if each.found is not None else f"not in {each.tried}",
            ", ".join(f"{n} {INVARIANTS[n][0]}" for n in each.numbers),
        )
        for each in found
    ]
    return "\n\n".join(
        (
            "# Every safeguard, taken away",
            "Written by `argos simulate --ablations --out`. Each row is one safeguard that was"
            " switched off in the simulation, and after how many seeds an invariant broke.",
            _table(("Safeguard", "What was missing", "Seeds", "Broken first"), rows),
            "## What no seed misses",
            *(f"- `{name}`: {why}" for name, why in SHOWN_ELSEWHERE.items()),
            "",
        )
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)
