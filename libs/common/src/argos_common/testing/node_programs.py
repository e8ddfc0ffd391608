"""Programs of a bridge's calls to a venue node, written by Hypothesis; `node_player` plays them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

LOSING = ("answer_lost", "request_lost", "late_fill", "no_connection")
"""After these faults nobody knows at once what became of the order."""
FAULTS = (*LOSING, "requote", "rejected", "market_closed", "partial_fill", "comment_erased")
PARAMS: dict[str, dict[str, int | str]] = {"late_fill": {"after_ms": 40}}


@dataclass(frozen=True, slots=True)
class Entry:
    symbol: int = 0
    gate: Literal["open", "no lease", "old epoch", "too late"] = "open"
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """Closes what the `of`-th order opened, or tries to."""

    of: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The same order once more, or another one under its id."""

    of: int
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    of: int


@dataclass(frozen=True, slots=True)
class SealIt:
    of: int


@dataclass(frozen=True, slots=True)
class SealFirst:
    """An id is sealed before its order comes."""


@dataclass(frozen=True, slots=True)
class Tighten:
    """A newer epoch."""


@dataclass(frozen=True, slots=True)
class Restart:
    """kill -9 of the node."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the node shows: a snapshot, its deals, or its stream of events from the start."""

    at: Literal["snapshot", "deals", "events"]


Step = Entry | Exit | Again | Find | SealIt | SealFirst | Tighten | Restart | Look
Told = tuple[object, ...]


def programs(*, faults: bool, steps: int = 12) -> st.SearchStrategy[list[Step]]:
    """Programs of up to `steps` steps; with `faults`, of the simulated broker's switchboard."""
    of = st.integers(0, 5)
    gates = st.sampled_from(["open", "open", "open", "no lease", "old epoch", "too late"])
    entries = [st.builds(Entry, st.integers(0, 1), gates)] * 3
    if faults:
        entries += [st.builds(Entry, st.integers(0, 1), st.just("open"), st.sampled_from(FAULTS))]
        entries *= 2
    others: list[st.SearchStrategy[Step]] = [
        st.builds(Exit, of, st.sampled_from([False, False, True])),
        st.builds(Again, of, st.booleans()),
        st.builds(Find, of),
        st.builds(SealIt, of),
        st.builds(SealFirst),
        st.builds(Look, st.sampled_from(["snapshot", "deals", "events"])),
        st.builds(Tighten),
        st.builds(Restart),
    ]
    return st.lists(st.one_of(*entries, *others), min_size=3, max_size=steps).map(_affordable)


def _affordable(steps: list[Step]) -> list[Step]:
    """One restart and one newer epoch: each takes a second or more of a real node."""
    kept: list[Step] = []
    for step in steps:
        dear = isinstance(step, Restart | Tighten)
        if not (dear and step in kept):
            kept.append(step)
    return kept
