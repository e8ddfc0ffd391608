"""The simulation can fail: without a safeguard, one of the seeds on record finds out."""

from __future__ import annotations

import pytest
from argos_common.domain.errors import BadInput
from argos_simulation.ablations import ABLATIONS, without
from argos_simulation.campaign import Run, play, search
from argos_simulation.faults import check_names
from argos_simulation.invariants import INVARIANTS


@pytest.mark.timeout(180)
@pytest.mark.parametrize("safeguard", ABLATIONS)
def test_without_a_safeguard_a_violation_is_found(safeguard: str) -> None:
    found = search(safeguard, ABLATIONS[safeguard].first)
    assert found.found is not None, f"nobody missed it in {found.tried} seeds"


@pytest.mark.timeout(120)
def test_the_same_faults_with_every_safeguard_in_place_find_nothing() -> None:
    for name in ("journal", "turn"):
        outcome = play(Run(seed=1, minutes=0.2, faults=tuple(ABLATIONS[name].faults)))
        assert outcome.violations == ()


def test_every_ablation_says_what_it_takes_and_which_invariants_it_breaks() -> None:
    for name, each in ABLATIONS.items():
        check_names(list(each.faults))
        assert each.what
        assert set(each.violates) <= INVARIANTS.keys(), name


def test_an_unknown_name_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="there is no fault 'rain'; known are: append-request-lost"):
        check_names(["rain"])
    unknown = "there is no safeguard 'hope'; known are: fence"
    with pytest.raises(BadInput, match=unknown), without("hope"):
        pass
