"""The simulation can fail: without a safeguard, some seed finds out."""

from __future__ import annotations

import pytest
from argos_common.domain.errors import BadInput
from argos_simulation.ablations import without
from argos_simulation.faults import check_names
from argos_simulation.simulate import simulate

SEEDS_MAX = 40


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("safeguard", "violated"),
    [
        ("head", 7),
        ("create-once", 7),
        ("once-only", 20),
        ("journal", 1),
        ("doubt", 13),
        ("seal", 11),
        ("confirmed-append", 9),
        ("fence", 5),
    ],
)
def test_without_a_safeguard_a_violation_is_found(safeguard: str, violated: int) -> None:
    with without(safeguard) as ablation:
        for seed in range(1, SEEDS_MAX + 1):
            outcome = simulate(
                seed, allowed=ablation.faults, certain=True, story=False, until_violation=True
            )
            if outcome.violations:
                break
    assert violated in {each.number for each in outcome.violations}


def test_the_same_faults_with_the_safeguard_in_place_find_nothing() -> None:
    outcome = simulate(1, allowed=("two-risks", "node-request-duplicated"), certain=True)
    assert outcome.violations == ()
    assert outcome.fired["node-request-duplicated"] > 0


def test_an_unknown_name_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="there is no fault 'rain'; known are: append-request-lost"):
        check_names(["rain"])
    unknown = "there is no safeguard 'hope'; known are: fence"
    with pytest.raises(BadInput, match=unknown), without("hope"):
        pass
