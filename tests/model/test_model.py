"""The order protocol holds as Argos runs it, and without any one safeguard something breaks.

`python -m tests.model -v` prints the table, and the shortest story of each breach.
"""

from __future__ import annotations

import pytest

from tests.model.explore import LIVENESS, Machine, TooLarge, explore
from tests.model.tables import TABLES, Table


@pytest.mark.parametrize(
    ("table", "number"),
    [(table, number) for table in TABLES for number in range(len(table.cases))],
    ids=[f"{table.name}: {case.name}" for table in TABLES for case in table.cases],
)
def test_the_model_says(table: Table, number: int) -> None:
    case = table.cases[number]
    found = case.check()

    story = "\n  ".join(found.trace) or "no way to it"
    said = table.invariants.get(found.broken, "every invariant holds")
    assert found.broken == case.breaks, f"in {found.states} states: {said}\n  {story}"
    if case.breaks:
        assert found.trace
    else:
        assert found.states > 500, "too small to have met two bridges and a fault"


def counting(limit: int) -> Machine[int]:
    """0, 1, 2 … `limit`, and from 3 a way that leads nowhere."""

    def moves(state: int) -> list[tuple[str, int]]:
        trap = [("trap", -1)] if state == 3 else []
        return [("one more", state + 1), *trap] if 0 <= state < limit else trap

    return Machine(0, moves, lambda state: 7 if state == 9 else 0, lambda state: state == limit)


def test_the_explorer_visits_everything_and_gives_the_shortest_way() -> None:
    assert explore(counting(5)).states == 7
    broken = explore(counting(12))
    assert (broken.broken, broken.trace) == (7, ("one more",) * 9)


def test_the_explorer_finds_where_no_end_can_be_reached() -> None:
    stuck = explore(counting(5), liveness=True)
    assert (stuck.broken, stuck.trace) == (LIVENESS, ("one more",) * 3 + ("trap",))
    with pytest.raises(TooLarge):
        explore(counting(8), limit=4)
