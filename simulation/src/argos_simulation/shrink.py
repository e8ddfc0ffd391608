"""The least of a failing run that still fails: delta debugging over what the seed had drawn.

In this order, each for as long as it helps: how long faults last, which faults there are, which
alerts are sent, and which single firings of the faults happen. A smaller run counts if it violates
one of the invariants that the whole run violated first. Time is bounded; what was found until then
stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from argos_simulation.campaign import Run, play
from argos_simulation.cut import Cut
from argos_simulation.invariants import INVARIANTS
from argos_simulation.simulate import Outcome

T = TypeVar("T")
Told = Callable[[str], None]
"""Is told what is being tried."""
MARGIN_S = 0.5
STORY_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """`run` still fails, as `outcome` shows. `tries`: runs it took; `finished`: time sufficed."""

    run: Run
    outcome: Outcome
    tries: int
    finished: bool

    @property
    def story(self) -> tuple[str, ...]:
        """What happened, up to the violation."""
        lines = self.outcome.story
        last = next((at for at, line in enumerate(lines) if "VIOLATION" in line), len(lines) - 1)
        return lines[max(0, last + 1 - STORY_LINES) : last + 1]


class _OutOfTime(Exception):
    """The bound was reached."""


class _Search:
    """The smallest failing run so far."""

    def __init__(self, run: Run, out_of_time: Callable[[], bool], told: Told) -> None:
        self._out_of_time = out_of_time
        self._told = told
        self.tries = 0
        self.run = run
        self.outcome = play(run, until=INVARIANTS)
        self._numbers = {each.number for each in self.outcome.violations}

    def still(self, stage: str, cut: Cut) -> bool:
        """Whether so little fails as well; then it is the smallest."""
        if self._out_of_time():
            raise _OutOfTime
        self.tries += 1
        self._told(f"{stage}: {self.tries} runs tried")
        run = replace(self.run, cut=cut)
        outcome = play(run, until=self._numbers)
        if self._numbers.isdisjoint(each.number for each in outcome.violations):
            return False
        self.run, self.outcome = run, outcome
        return True


def shrink(run: Run, *, out_of_time: Callable[[], bool], told: Told = lambda _: None) -> Shrunk:
    """The least of a run that still fails. Raises ValueError if the whole of it does not."""
    search = _Search(run, out_of_time, told)
    if not search.outcome.violations:
        raise ValueError(f"seed {run.seed} violates nothing")
    try:
        _all_stages(search)
        finished = True
    except _OutOfTime:
        finished = False
    return Shrunk(run=search.run, outcome=search.outcome, tries=search.tries, finished=finished)


def _all_stages(search: _Search) -> None:
    _shorter(search)
    fired = search.outcome.fired
    by_fault = {name: [(name, at) for at in range(count)] for name, count in fired.items()}

    def with_faults(names: Sequence[str]) -> bool:
        kept = frozenset(each for name in names for each in by_fault[name])
        return search.still("faults", replace(search.run.cut, firings=kept))

    fewest(list(by_fault), with_faults)

    def with_alerts(numbers: Sequence[int]) -> bool:
        return search.still("alerts", replace(search.run.cut, alerts=frozenset(numbers)))

    fewest(list(range(search.outcome.alerts)), with_alerts)
    kept = search.run.cut.firings
    firings = [each for each in sorted(kept or ()) if search.outcome.fired[each[0]]]

    def with_firings(kept: Sequence[tuple[str, int]]) -> bool:
        return search.still("firings", replace(search.run.cut, firings=frozenset(kept)))

    if kept is not None:
        fewest(firings, with_firings)
    _shorter(search)


def _shorter(search: _Search) -> None:
    """Faults heal right after the violation; of one at rest, as early as it still comes."""
    first_s = min(each.at_s for each in search.outcome.violations)
    until_s = search.run.cut.until_s or search.run.minutes * 60
    for share in (0.25, 0.5, 0.75):
        at_s = round(min(first_s + MARGIN_S, until_s) * share, 1)
        if search.still("time", replace(search.run.cut, until_s=at_s)):
            return
    if first_s + MARGIN_S < until_s:
        search.still("time", replace(search.run.cut, until_s=round(first_s + MARGIN_S, 1)))


def fewest(items: Sequence[T], still: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """A part of `items`, of which nothing can be left out, for which it `still` holds.

    Asks about complements of ever smaller parts (ddmin). It must hold for all of them.
    """
    parts = 2
    if items and still(()):
        return ()
    while len(items) > 1:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = [*items[:start], *items[start + size :]]
            if rest and still(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(items))
    return items
