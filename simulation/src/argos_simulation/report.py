"""Many seeds as one report: for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from argos_simulation.faults import NAMES
from argos_simulation.invariants import INVARIANTS
from argos_simulation.simulate import Outcome

STORY_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A seed that violated something: what, the end of its story, and how to see it again."""

    seed: int
    violations: tuple[str, ...]
    story: tuple[str, ...]
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What many seeds came to. `fired`: by fault; `evaluated`: by invariant."""

    seeds: int
    virtual_hours: float
    log_entries: int
    orders: int
    fired: dict[str, int]
    evaluated: dict[str, int]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def report_of(outcomes: Sequence[Outcome], allowed: Sequence[str], minutes: float) -> Report:
    """The sum of the outcomes; every failing seed with the command that replays it."""
    fired: Counter[str] = Counter()
    evaluated: Counter[int] = Counter()
    for outcome in outcomes:
        fired += outcome.fired
        evaluated += outcome.evaluated
    return Report(
        seeds=len(outcomes),
        virtual_hours=round(sum(each.virtual_s for each in outcomes) / 3600, 3),
        log_entries=sum(each.entries for each in outcomes),
        orders=sum(each.orders for each in outcomes),
        fired={name: fired[name] for name in NAMES if fired[name]},
        evaluated={
            f"{number} {name}": evaluated[number] for number, (name, _) in INVARIANTS.items()
        },
        failures=tuple(_failure(each, allowed, minutes) for each in outcomes if each.violations),
    )


def _failure(outcome: Outcome, allowed: Sequence[str], minutes: float) -> Failure:
    again = f"argos sim --from {outcome.seed} --seeds 1 --minutes {minutes:g}"
    if tuple(allowed) != NAMES:
        again += f" --faults {','.join(allowed) or 'none'}"
    return Failure(
        seed=outcome.seed,
        violations=tuple(str(each) for each in outcome.violations),
        story=_until_violation(outcome.story),
        again=again,
    )


def _until_violation(story: Sequence[str]) -> tuple[str, ...]:
    """The lines before the first violation, and it."""
    first = next((at for at, line in enumerate(story) if "VIOLATION" in line), len(story) - 1)
    return tuple(story[max(0, first + 1 - STORY_LINES) : first + 1])


def lines_of(report: Report) -> list[str]:
    """The report for a person."""
    lines = [
        f"seeds                 {report.seeds}",
        f"simulated hours       {report.virtual_hours:g}",
        f"log entries, orders   {report.log_entries}, {report.orders}",
        f"faults fired          {sum(report.fired.values())}",
    ]
    lines += [f"  {name:28} {count}" for name, count in report.fired.items()]
    lines.append(f"invariants evaluated  {sum(report.evaluated.values())}")
    lines += [f"  {name:28} {count}" for name, count in report.evaluated.items()]
    for failure in report.failures:
        lines.append(f"seed {failure.seed}:")
        lines += [f"  {each}" for each in failure.violations[:5]]
        lines += [f"    {each}" for each in failure.story]
        lines.append(f"  again: {failure.again}")
    lines.append(
        f"SIMULATION: {'PASS' if report.passed else f'FAIL ({len(report.failures)} seeds)'}"
    )
    return lines
