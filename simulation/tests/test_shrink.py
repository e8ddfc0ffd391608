"""A failing run becomes a small one that fails alike, and the command that plays it again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from argos_common.domain.errors import BadInput
from argos_simulation.ablations import ABLATIONS
from argos_simulation.campaign import Run, play
from argos_simulation.cut import Cut, alerts_of, firings_of
from argos_simulation.faults import NAMES
from argos_simulation.shrink import fewest, shrink


def test_fewest_finds_the_items_that_are_needed_together() -> None:
    asked = 0

    def still(items: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return {3, 58} <= set(items)

    assert list(fewest(range(100), still)) == [3, 58]
    assert asked < 60


def test_fewest_of_what_is_not_needed_at_all_is_nothing() -> None:
    assert list(fewest(range(10), lambda _: True)) == []


@pytest.mark.timeout(120)
def test_a_failing_seed_shrinks_to_few_alerts_and_is_played_again_by_its_command() -> None:
    missing = ABLATIONS["stop"]
    run = Run(seed=1, minutes=0.4, without="stop")
    whole = play(run)
    least = shrink(run, out_of_time=lambda: False)
    assert least.finished
    assert {each.number for each in least.outcome.violations} & set(missing.violates)
    assert least.run.cut.alerts is not None
    assert len(least.run.cut.alerts) == 1 < whole.alerts
    assert "VIOLATION 25 stop" in least.story[-1]
    assert least.run.again.startswith(
        "argos simulate --from 1 --seeds 1 --minutes 0.4 --without stop --until "
    )
    assert play(least.run, until={25}).digest == least.outcome.digest


def test_time_is_bounded_and_what_was_found_until_then_stands() -> None:
    least = shrink(Run(seed=1, minutes=0.2, without="stop"), out_of_time=lambda: True)
    assert (least.finished, least.tries) == (False, 0)
    assert least.outcome.violations


def test_a_cut_is_said_as_options_that_give_it_again() -> None:
    firings = frozenset({("node-slow", 4), ("kill-switch", 0)})
    cut = Cut(alerts=frozenset({7, 3}), firings=firings, until_s=12.5)
    assert cut.options() == "--until 12.5 --alerts 3,7 --firings kill-switch:0,node-slow:4"
    assert alerts_of("3,7") == cut.alerts
    assert firings_of("kill-switch:0,node-slow:4", NAMES) == firings
    assert (Cut().options(), alerts_of(""), firings_of("", NAMES)) == ("", None, None)
    assert (alerts_of("none"), firings_of("none", NAMES)) == (frozenset(), frozenset())


@pytest.mark.parametrize("text", ["rain:0", "node-slow", "node-slow:x"])
def test_a_firing_that_is_none_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(BadInput, match="is not FAULT:NUMBER: write for instance"):
        firings_of(text, NAMES)
