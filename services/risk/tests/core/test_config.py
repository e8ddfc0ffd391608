"""What a proposed configuration becomes, and when a lease is granted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import AccountControl, ConfigApplied, ConfigProposed, fold_control
from argos_common.domain.node import LeaseAnswer, LeaseAsk
from argos_common.wire import codec
from argos_risk.core.config import compare, propose
from argos_risk.core.lease import answer_lease

from services.risk.tests.risk_kit import (
    CONFIG,
    DEMO,
    LIMITS,
    NOW,
    NS_PER_S,
    ROUTE,
    D,
    World,
    applied,
    config_with,
    configured,
    kill,
)

IN_FORCE = fold_control(AccountControl(), 1, applied())
ROOM = {"order_value_max": D(250_001)}
LESS = {"order_value_max": D(249_999)}


def proposed(config: AccountConfig, control: AccountControl = IN_FORCE) -> object:
    event = applied(config)
    return propose(
        DEMO,
        control,
        CONFIG if control.config_hash else None,
        config,
        config_hash=event.config_hash,
        document=event.document,
        now_ns=NOW,
    )


def test_the_first_configuration_is_applied_and_tightens() -> None:
    event = proposed(CONFIG, AccountControl())
    assert isinstance(event, ConfigApplied)
    assert event.tightening


def test_what_is_in_force_is_not_written_again() -> None:
    assert proposed(CONFIG) is None


def test_what_only_tightens_is_applied_at_once() -> None:
    event = proposed(config_with(**LESS))
    assert isinstance(event, ConfigApplied)
    assert event.tightening


def test_what_changes_nothing_that_limits_is_applied_without_tightening() -> None:
    event = proposed(replace(CONFIG, exit_deadline_ns=CONFIG.exit_deadline_ns + 1))
    assert isinstance(event, ConfigApplied)
    assert not event.tightening


def test_what_loosens_waits_for_approval_even_if_it_tightens_elsewhere() -> None:
    event = proposed(config_with(**ROOM, daily_loss_max=D(1)))
    assert isinstance(event, ConfigProposed)
    assert event.raises == ("order_value_max rises from 250000 to 250001",)


def test_what_is_proposed_already_is_not_proposed_again() -> None:
    event = proposed(config_with(**ROOM))
    assert isinstance(event, ConfigProposed)
    control = fold_control(IN_FORCE, 2, event)
    assert proposed(config_with(**ROOM), control) is None


@pytest.mark.parametrize("name", list(type(LIMITS).__slots__))
def test_every_limit_that_rises_loosens_and_that_falls_tightens(name: str) -> None:
    up = config_with(**{name: getattr(LIMITS, name) + 1})
    down = config_with(**{name: getattr(LIMITS, name) - 1})
    assert compare(CONFIG, up).raises
    assert not compare(CONFIG, up).tightens
    assert compare(CONFIG, down).tightens
    assert not compare(CONFIG, down).raises


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bot_versions": ("v1", "v2")}, "trend: bot version v2 is added"),
        ({"symbols": (*ROUTE.symbols, "GBPUSD")}, "trend: symbol GBPUSD is added"),
        ({"multiplier": D(2)}, "trend: multiplier rises from 1 to 2"),
        ({"quantity": D("0.2")}, "trend: quantity rises from 0.1 to 0.2"),
        ({"live": True}, "real money (0 no, 1 yes) rises from 0 to 1"),
        ({"settling_ns": 1}, "settling_ns falls from 60000000000 to 1"),
        ({"node": "elsewhere"}, "the node changes from node to elsewhere"),
    ],
)
def test_what_loosens_is_named_and_its_reverse_tightens(
    changes: dict[str, Any], sentence: str
) -> None:
    looser = config_with(**changes)
    assert compare(CONFIG, looser).raises == [sentence]
    assert compare(looser, CONFIG).tightens


def test_dropping_the_required_stop_loosens() -> None:
    strict = config_with(require_stop=True)
    assert compare(strict, CONFIG).raises == ["trend: an entry needs no stop any more"]


ASK = LeaseAsk(account=DEMO, nonce="n1")


def lease(world: World, **changes: Any) -> LeaseAnswer:
    known: dict[str, Any] = {"confirmed_age_ns": 0, "log_used_percent": 79, "latched": False}
    return answer_lease(ASK, world.state.accounts.get(DEMO), **known | changes)


def test_a_lease_is_granted_with_the_epoch_when_nothing_is_against_it() -> None:
    assert lease(configured()) == LeaseAnswer(
        account=DEMO, nonce="n1", granted=True, epoch=1, reason=""
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latched": True}, "a kill is being recorded"),
        ({"confirmed_age_ns": None}, "risk has not read the log to its end yet"),
        (
            {"confirmed_age_ns": 1_230_000_000},
            "risk last confirmed its knowledge of the log 1.2 s ago",
        ),
        ({"confirmed_age_ns": NS_PER_S}, "risk last confirmed its knowledge of the log 1.0 s ago"),
        ({"log_used_percent": 80}, "the log is 80 % full; new risk stops at 80 %"),
    ],
)
def test_a_lease_is_refused_with_its_reason_and_still_names_the_epoch(
    changes: dict[str, Any], reason: str
) -> None:
    answer = lease(configured(), **changes)
    assert (answer.granted, answer.reason, answer.epoch) == (False, reason, 1)


def test_a_killed_account_gets_no_lease_and_the_new_epoch() -> None:
    answer = lease(configured().says(kill()))
    assert (answer.granted, answer.reason) == (False, "the account is killed (drill)")
    assert answer.epoch == 2


def test_an_account_without_configuration_gets_no_lease() -> None:
    assert lease(World()).reason == "the account has no configuration"


def test_documents_are_the_same_whatever_wrote_them() -> None:
    assert codec.from_json(AccountConfig, applied().document) == CONFIG
