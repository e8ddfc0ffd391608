"""The fleet under drawn faults: many seeds hold, one seed always gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from argos_simulation.campaign import Run, play, play_quietly, spread
from argos_simulation.faults import NAMES
from argos_simulation.found import Found, found_seeds
from argos_simulation.invariants import INVARIANTS
from argos_simulation.report import Tally, campaign_page
from argos_simulation.size import DEFAULT_MINUTES

SEEDS = int(os.environ.get("ARGOS_TEST_SEEDS", "300"))
"""A campaign of thousands is `make sim`; here so many that every fault fires."""
ROOT = Path(__file__).resolve().parents[2]
_PRINT_DIGESTS = """
import json
from argos_simulation.campaign import Run, play
print(json.dumps([play(Run(seed=seed)).digest for seed in (3, 12, 40)]))
"""


@pytest.mark.timeout(600)
def test_the_seeds_hold_and_every_fault_fires_and_every_invariant_is_evaluated() -> None:
    tally = Tally(1, DEFAULT_MINUTES, "")
    for run, outcome in spread(
        play_quietly, [Run(seed=seed) for seed in range(1, SEEDS + 1)], processes=1
    ):
        tally.take(run, outcome)
    report = tally.report(1.0)
    broken = {
        each.again: [str(v.number) + v.detail for v in each.violated] for each in report.failures
    }
    assert broken == {}
    assert [number for number in INVARIANTS if not report.evaluated[number]] == []
    assert [name for name in NAMES if name not in report.fired] == []
    page = campaign_page(report)
    assert f"| Seeds | {SEEDS} (from 1, {DEFAULT_MINUTES} minutes each) |" in page
    assert "| Violations | 0 |" in page


@pytest.mark.timeout(180)
def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _PRINT_DIGESTS],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (json.loads(run.communicate(timeout=120)[0]) for run in runs)
    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("found", found_seeds(), ids=lambda found: f"seed {found.run.seed}")
def test_a_seed_that_once_found_something_holds(found: Found) -> None:
    assert play(found.run).violations == (), found.showed
    path, _, name = found.held_by.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_a_calm_day_fills_orders_and_leaves_nothing_in_doubt() -> None:
    outcome = play(Run(seed=1, faults=()))
    assert (outcome.violations, dict(outcome.fired)) == ((), {})
    told = " ".join(outcome.story)
    assert "OrderFilled" in told
    assert "OrderMatched" in told
    assert "OrderInDoubt" not in told
