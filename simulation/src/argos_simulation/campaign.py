"""Many seeds, over processes: runs as values, played one by one or all at once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from argos_common.domain.errors import OurMistake

from argos_simulation.ablations import ABLATIONS, ablation, without
from argos_simulation.cut import WHOLE, Cut
from argos_simulation.faults import NAMES
from argos_simulation.simulate import Outcome, simulate
from argos_simulation.size import ALERTS_MOST, DEFAULT_MINUTES

Job = TypeVar("Job")
Result = TypeVar("Result")
ALERTS_MANY = 30
"""For a seed that has to meet one thing soon: an ablation, or a seed found when all were so large."""
_QUEUED = 4
"""Jobs per process that wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, whole: what decides every byte of it.

    `faults`: the seed draws among these; None: among all, or just those that show what `without`
    takes away. `minutes`: virtual, until faults heal. `alerts_most`: it sends half to all of it.
    """

    seed: int
    faults: tuple[str, ...] | None = None
    minutes: float = DEFAULT_MINUTES
    alerts_most: int = ALERTS_MOST
    without: str = ""
    cut: Cut = WHOLE

    @property
    def again(self) -> str:
        """The command that plays it again."""
        said = [f"argos simulate --from {self.seed} --seeds 1 --minutes {self.minutes:g}"]
        if self.alerts_most != ALERTS_MOST:
            said.append(f"--alerts-most {self.alerts_most}")
        if self.faults is not None:
            said.append(f"--faults {','.join(self.faults) or 'none'}")
        if self.without:
            said.append(f"--without {self.without}")
        return " ".join([*said, self.cut.options()]).strip()


def play(run: Run, *, story: bool = True, until: Container[int] = ()) -> Outcome:
    """Simulate one run."""
    own = run.without and run.faults is None
    with without(run.without) if run.without else nullcontext():
        return simulate(
            run.seed,
            allowed=NAMES if run.faults is None else run.faults,
            minutes=run.minutes,
            alerts_most=run.alerts_most,
            intensity=ablation(run.without).faults if own else None,
            cut=run.cut,
            story=story,
            until=until,
        )


def play_quietly(run: Run) -> Outcome:
    """The outcome without its story, which can be had again. Raises OurMistake."""
    try:
        return replace(play(run, story=False), story=())
    except Exception as error:
        raise OurMistake(
            f"the simulation itself failed ({type(error).__name__}: {error}): play it again with"
            f" ARGOS_DEBUG=1 {run.again}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How an ablation fared: `found` is the seed that noticed (None: none did), after `tried`.

    `numbers`: the invariants that it saw violated first.
    """

    name: str
    tried: int
    found: int | None
    numbers: tuple[int, ...] = ()


def search(name: str, first: int = 1) -> Search:
    """Seed after seed without one safeguard, until a violation that it should show."""
    missing = ABLATIONS[name]
    tried = 0
    for seed in range(first, first + missing.seeds):
        tried += 1
        run = Run(seed=seed, minutes=missing.minutes, alerts_most=ALERTS_MANY, without=name)
        outcome = play(run, story=False, until=missing.violates)
        numbers = sorted({each.number for each in outcome.violations})
        if not set(missing.violates).isdisjoint(numbers):
            return Search(name=name, tried=tried, found=seed, numbers=tuple(numbers))
    return Search(name=name, tried=tried, found=None)


def spread(
    work: Callable[[Job], Result], jobs: Iterable[Job], processes: int
) -> Iterator[tuple[Job, Result]]:
    """Each job with its result, as they come. Few jobs are handed out ahead of time."""
    if processes <= 1:
        for job in jobs:
            yield job, work(job)
        return
    left = iter(jobs)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[Result], Job] = {}
        try:
            while True:
                for job in islice(left, processes * _QUEUED - len(waiting)):
                    waiting[pool.submit(work, job)] = job
                if not waiting:
                    return
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()
