"""Every rule: what it says when it refuses, and that nothing else refuses with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from argos_common.domain.control import Scope
from argos_common.domain.event import Event
from argos_common.domain.ids import Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.domain.reconcile import DiscrepancyResolved
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule
from argos_common.domain.verdict import Decision, Facts
from argos_risk.core.rules import OPEN_RULES

from services.risk.tests.risk_kit import (
    CONFIG,
    DEMO,
    EURUSD,
    FACTS,
    INSTRUMENT,
    NOW,
    NS_PER_S,
    D,
    World,
    applied,
    config_with,
    configured,
    deal,
    discrepancy,
    holding,
    kill,
    release,
    signal,
)

Story = Callable[[], tuple[World, Event, Facts]]


def story(
    config: object = CONFIG, ask: Event | None = None, facts: Facts = FACTS, *before: Event
) -> Story:
    def tell() -> tuple[World, Event, Facts]:
        world = configured(config)  # type: ignore[arg-type]  # builders give the right type
        return world.says(*before), ask or signal(), facts

    return tell


def in_doubt() -> tuple[World, Event, Facts]:
    world = configured()
    entry = world.verdict(signal("first"))
    world.says(world.doubt(world.claim(entry, entry.legs[0])))
    return world, signal(), FACTS


def three_open() -> tuple[World, Event, Facts]:
    world = configured()
    for number in range(3):
        world.says(
            deal(f"0000000{number}-0000-5000-8000-000000000000", "0.01", external=True,
                 venue_position_id=f"e{number}", number=number)
        )  # fmt: skip
    # The mark of the symbol comes from a verdict, so that what is held can be valued.
    world.verdict(signal("first", bot_version="v0"))
    return world, signal(), FACTS


def lost_today() -> tuple[World, Event, Facts]:
    world = configured()
    world.says(deal("00000000-0000-5000-8000-000000000000", "0.01", profit=D(-400), external=True))
    world.says(
        deal("00000000-0000-5000-8000-000000000000", "0.01", Side.SELL, external=True, number=2)
    )
    return world, signal(), replace(FACTS, equity=D(99_880), balance=D(99_980))


REQUIRE_STOP = config_with(require_stop=True)
RISKY = config_with(quantity_rule=QuantityRule.FIXED, quantity=D(1), require_stop=True)

TABLE: list[tuple[str, Story, str]] = [
    ("kill", story(CONFIG, None, FACTS, kill()), "the fleet is killed (drill)"),
    ("kill", story(CONFIG, None, FACTS, kill(Scope.ACCOUNT)), "the account is killed (drill)"),
    (
        "hold",
        story(CONFIG, None, FACTS, discrepancy()),
        "EURUSD is held by a discrepancy: the venue holds 1, the log 0",
    ),
    (
        "hold",
        story(CONFIG, None, FACTS, discrepancy("")),
        "the account is held by a discrepancy: the venue holds 1, the log 0",
    ),
    (
        "bot_version",
        story(ask=signal(bot_version="v9")),
        "bot version 'v9' is not registered for trend (known: v1)",
    ),
    (
        "symbol",
        story(replace(CONFIG, symbols=())),
        "EURUSD has no venue symbol on account demo",
    ),
    (
        "signal_age",
        story(ask=signal(received_at_ns=NOW - 31 * NS_PER_S)),
        "the signal is 31.0 s old, more than the 30.0 s allowed",
    ),
    (
        "signal_age",
        story(ask=signal(fired_at_ns=NOW - 45 * NS_PER_S)),
        "the signal is 45.0 s old, more than the 30.0 s allowed",
    ),
    (
        "venue",
        story(facts=replace(FACTS, account_age_ns=4 * NS_PER_S)),
        "the venue was last heard of 4.0 s ago, more than the 3.0 s allowed",
    ),
    ("venue", story(facts=replace(FACTS, venue_ready=False)), "the venue is not ready to trade"),
    (
        "venue",
        story(facts=replace(FACTS, account_age_ns=None)),
        "the state of the venue is not known",
    ),
    (
        "quote",
        story(facts=replace(FACTS, quote_age_ns=3_100_000_000)),
        "the price of EURUSD is 3.1 s old, more than the 3.0 s allowed",
    ),
    (
        "quote",
        story(facts=replace(FACTS, bid=D("1.1003"))),
        "the quote 1.1003/1.1002 of EURUSD makes no sense",
    ),
    ("equity", story(facts=replace(FACTS, equity=D(0), balance=D(0))), "the account's equity is 0"),
    (
        "spot_short",
        story(config_with(kind=AccountKind.SPOT), signal(side=Side.SELL)),
        "a spot account cannot sell what it does not hold",
    ),
    (
        "quantity_min",
        story(config_with(quantity=D("0.009"))),
        "the quantity 0 is below the venue's minimum of 0.01",
    ),
    (
        "quantity_max",
        story(
            config_with(quantity=D("2.01"), order_value_max=D(10**9), account_value_max=D(10**9))
        ),
        "the order quantity 2.01 is above the limit of 2",
    ),
    (
        "quantity_max",
        story(facts=replace(FACTS, instrument=replace(INSTRUMENT, quantity_max=D("0.05")))),
        "the order quantity 0.1 is above the limit of 0.05",
    ),
    (
        "order_value",
        story(config_with(order_value_max=D(10_000))),
        "the order value 11,002.00 USD is above the limit of 10,000.00 USD",
    ),
    (
        "account_value",
        story(config_with(account_value_max=D(11_001))),
        "the account's open value 11,002.00 USD is above the limit of 11,001.00 USD",
    ),
    ("open_positions", three_open, "this would be open position 4, the limit is 3"),
    (
        "stop",
        story(REQUIRE_STOP, signal(stop_price=D("1.1001"))),
        "the stop 1.1001 is not below the bid of the market",
    ),
    (
        "stop",
        story(REQUIRE_STOP, signal(side=Side.SELL, stop_price=D("1.1001"))),
        "the stop 1.1001 is not above the ask of the market",
    ),
    (
        "stop",
        story(REQUIRE_STOP, signal(stop_price=D("1.0996"))),
        "the stop is 0.0004 from the market, the venue wants at least 0.0005",
    ),
    (
        "take_profit",
        story(ask=signal(take_profit_price=D("1.1001"))),
        "the target 1.1001 is not above the ask of the market",
    ),
    (
        "risk_percent",
        story(RISKY, signal(stop_price=D("1.0850"))),
        "the loss at the stop, 1,520.00 USD or 1.52 % of equity, is above the limit of 1 %",
    ),
    (
        "daily_loss",
        lost_today,
        "today's loss of 500.00 USD has reached the limit of 500.00 USD",
    ),
    ("in_doubt", in_doubt, "the outcome of order "),
]


@pytest.mark.parametrize(
    ("rule", "given", "sentence"), TABLE, ids=[f"{n}-{row[0]}" for n, row in enumerate(TABLE)]
)
def test_a_rule_refuses_with_its_sentence(rule: str, given: Story, sentence: str) -> None:
    world, ask, facts = given()
    verdict = world.verdict(ask, facts)
    failed = [each for each in verdict.rules if not each.passed]
    assert [each.rule for each in failed] == [rule]
    assert failed[0].sentence.startswith(sentence)
    assert verdict.decision is Decision.REFUSED
    assert verdict.reason.startswith(f"Refused: {sentence}")
    assert verdict.legs == ()


def test_without_a_rule_against_it_every_rule_is_on_record() -> None:
    verdict = configured().verdict(signal())
    assert verdict.decision is Decision.APPROVED
    assert [each.rule for each in verdict.rules] == [rule.name for rule in OPEN_RULES]
    assert all(each.passed and each.value and each.limit for each in verdict.rules)
    assert verdict.reason == "Approved: entry, buy 0.1 EURUSD."


def test_a_refusal_names_all_failures_not_only_the_first() -> None:
    world = configured(config_with(order_value_max=D(10_000))).says(kill(Scope.ACCOUNT))
    verdict = world.verdict(signal(bot_version="v9"))
    assert verdict.reason == (
        "Refused: the account is killed (drill); bot version 'v9' is not registered for trend"
        " (known: v1); the order value 11,002.00 USD is above the limit of 10,000.00 USD."
    )


def test_missing_facts_refuse_an_entry() -> None:
    verdict = configured(config_with(require_stop=True)).verdict(
        signal(stop_price=D("1.09")), Facts(now_ns=NOW)
    )
    assert [each.rule for each in verdict.rules if not each.passed] == [
        "venue", "quote", "equity", "size", "quantity_min", "quantity_max", "order_value",
        "account_value", "stop", "risk_percent", "daily_loss",
    ]  # fmt: skip


def test_missing_facts_do_not_stand_in_the_way_of_an_exit() -> None:
    verdict = holding().verdict(signal("out", Action.EXIT), Facts(now_ns=NOW))
    assert verdict.decision is Decision.APPROVED
    assert [each.rule for each in verdict.rules] == ["something_to_close"]


def test_an_entry_without_the_required_stop_is_refused_as_such() -> None:
    verdict = configured(config_with(require_stop=True)).verdict(signal())
    assert verdict.reason == (
        "Refused: the entry has no protective stop; the loss at the stop is not known."
    )


@pytest.mark.parametrize(
    "bar", [kill(), kill(Scope.ACCOUNT), discrepancy(), applied(config_with(bot_versions=("v2",)))]
)
def test_nothing_that_bars_an_entry_bars_an_exit(bar: Event) -> None:
    world = holding().says(bar)
    out = world.verdict(signal("out", Action.EXIT, received_at_ns=NOW - 900 * NS_PER_S))
    assert out.decision is Decision.APPROVED
    entry = world.verdict(signal("in"))
    assert entry.decision is Decision.REFUSED


def test_a_release_of_the_other_scope_leaves_the_latch_engaged() -> None:
    world = configured().says(kill(Scope.FLEET), release(Scope.ACCOUNT))
    assert world.verdict(signal("a")).decision is Decision.REFUSED
    world.says(release(Scope.FLEET))
    assert world.verdict(signal("b")).decision is Decision.APPROVED


def test_a_resolved_discrepancy_holds_nothing() -> None:
    world = configured().says(
        discrepancy(),
        DiscrepancyResolved(
            discrepancy_id="x1", account=DEMO, symbol=EURUSD, how="seen", actor="ann",
            resolved_at_ns=NOW,
        ),
    )  # fmt: skip
    assert world.verdict(signal()).decision is Decision.APPROVED


def test_what_is_held_without_a_known_value_refuses_new_risk() -> None:
    world = configured().says(
        deal("00000000-0000-5000-8000-000000000000", "1", symbol=Symbol("XAUUSD"), external=True)
    )
    verdict = world.verdict(signal())
    assert "the value of what is held in XAUUSD is not known" in verdict.reason


def test_a_configuration_with_a_wrong_hash_bars_new_risk_and_keeps_routing() -> None:
    world = holding().says(replace(applied(config_with(quantity=D(1))), config_hash="00"))
    assert world.told == [
        "demo: the configuration 00 cannot be read; no new risk until another is applied"
    ]
    assert world.verdict(signal("in")).decision is Decision.REFUSED
    assert world.verdict(signal("out", Action.EXIT)).decision is Decision.APPROVED
