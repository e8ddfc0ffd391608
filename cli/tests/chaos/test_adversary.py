"""The adversary's schedule follows from its seed alone, and from nothing but what is allowed."""

from __future__ import annotations

import pytest
from argos_cli.chaos.adversary import WINDOW_MS, draw
from argos_cli.chaos.faults import FAULTS, chosen, needs_small_disk
from argos_common.domain.errors import BadInput

SEEDS = range(400)


def test_the_same_seed_draws_the_same_schedule_and_others_draw_others() -> None:
    names = tuple(FAULTS)
    assert [draw(seed, names) for seed in SEEDS] == [draw(seed, names) for seed in SEEDS]
    assert len({draw(seed, names).strikes for seed in SEEDS}) == len(SEEDS)


def test_every_fault_strikes_every_one_of_its_targets_sooner_or_later() -> None:
    found: dict[str, set[str]] = {}
    for seed in SEEDS:
        schedule = draw(seed, tuple(FAULTS))
        for name in schedule.habits:
            found.setdefault(name, {""})
        for strike in schedule.strikes:
            found.setdefault(strike.fault, set()).add(strike.target)
    assert found == {fault.name: set(fault.targets) for fault in FAULTS.values()}


def test_strikes_keep_within_the_window_and_last_as_long_as_their_fault_may() -> None:
    for seed in SEEDS:
        for strike in draw(seed, tuple(FAULTS)).strikes:
            shortest, longest = FAULTS[strike.fault].for_ms
            assert 0 < strike.at_ms < WINDOW_MS
            assert shortest <= strike.for_ms <= longest


def test_only_what_is_allowed_is_drawn_and_nothing_on_a_calm_day() -> None:
    allowed = ("freeze", "resend")
    schedules = [draw(seed, allowed) for seed in SEEDS]
    assert {strike.fault for each in schedules for strike in each.strikes} == {"freeze"}
    assert {habit for each in schedules for habit in each.habits} == {"resend"}
    assert (draw(1, ()).strikes, draw(1, ()).habits) == ((), ())


def test_faults_are_chosen_by_name() -> None:
    assert chosen("") == tuple(FAULTS)
    assert chosen("none") == ()
    assert chosen("freeze, kill-nats") == ("kill-nats", "freeze")
    assert needs_small_disk(chosen("")) == ("full-log", "full-ledger")
    with pytest.raises(
        BadInput, match="there is no fault 'flood': use none alone, or some of kill-"
    ):
        chosen("freeze,flood")
