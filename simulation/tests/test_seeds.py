"""The fleet under drawn faults: many seeds hold, one seed always gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from argos_simulation.faults import NAMES
from argos_simulation.invariants import INVARIANTS
from argos_simulation.simulate import run_many, simulate

MINUTES = 1.0
_PRINT_DIGESTS = """
import json
from argos_simulation.simulate import simulate
print(json.dumps([simulate(seed, minutes=0.7).digest for seed in (3, 12)]))
"""


@pytest.mark.timeout(300)
def test_fifty_seeds_hold_and_every_invariant_is_evaluated() -> None:
    outcomes = run_many(range(1, 51), minutes=MINUTES)
    broken = {each.seed: [str(found) for found in each.violations] for each in outcomes}
    assert {seed: found for seed, found in broken.items() if found} == {}
    evaluated: Counter[int] = Counter()
    fired: Counter[str] = Counter()
    for each in outcomes:
        evaluated += each.evaluated
        fired += each.fired
    assert [number for number in INVARIANTS if not evaluated[number]] == []
    assert [name for name in NAMES if not fired[name]] == []


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


def test_a_calm_day_fills_orders_and_leaves_nothing_in_doubt() -> None:
    outcome = simulate(1, allowed=(), minutes=MINUTES)
    assert (outcome.violations, dict(outcome.fired)) == ((), {})
    told = " ".join(outcome.story)
    assert "OrderFilled" in told
    assert "OrderMatched" in told
    assert "OrderInDoubt" not in told
