"""How much of each limit is used, as it is shown to people."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from argos_common.domain.signal import Action
from argos_common.domain.verdict import Facts
from argos_risk.core.utilisation import utilisation

from services.risk.tests.risk_kit import CONFIG, DEMO, configured, holding, signal


def test_an_account_without_trades_uses_nothing() -> None:
    risk = configured().state.accounts[DEMO]
    used = utilisation(risk, Facts(now_ns=1))
    assert used == {"open_positions": 0, "account_value": 0}, "the day's loss is not known"


def test_what_is_held_uses_its_share_of_each_limit() -> None:
    world = holding()
    risk = world.state.accounts[DEMO]
    used = utilisation(risk, Facts(now_ns=1))
    assert used["open_positions"] == Decimal(1) / CONFIG.limits.open_positions_max
    assert 0 < used["account_value"] < 1


def test_an_account_that_is_not_configured_has_no_limits() -> None:
    risk = replace(configured().state.accounts[DEMO], config=None)
    assert utilisation(risk, Facts(now_ns=1)) == {}


def test_an_entry_that_an_exit_has_ended_takes_a_place_until_it_is_over() -> None:
    """A bridge that has not read the exit may yet claim it."""
    world = configured()
    entry = world.verdict(signal("in"))
    world.verdict(signal("out", Action.EXIT))
    facts = Facts(now_ns=1)
    one = Decimal(1) / CONFIG.limits.open_positions_max
    assert utilisation(world.risk, facts)["open_positions"] == one
    world.decline(entry, entry.legs[0])
    assert utilisation(world.risk, facts)["open_positions"] == 0
