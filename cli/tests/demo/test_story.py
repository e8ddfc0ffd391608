"""The story: its alerts mean at the door what the steps say, and it names only what exists."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from argos_cli.demo.alerts import Alert, body_of, head_of
from argos_cli.demo.proofs import PROOFS
from argos_cli.demo.steps import Misbehave, Post, Step, Wait
from argos_cli.demo.story import STORY
from argos_common.domain.ids import Source
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.runtime.settings import load_fleet
from argos_gateway.core.intake import Accepted, Door, KnownSource, KnownStrategy, Refused, examine

FLEET = load_fleet(Path(__file__).parents[3] / "fleet.toml")
NOW_NS = 1_790_000_000_500_000_000
POSTS = [(step, do) for step in STORY for do in step.do if isinstance(do, Post)]


def look(alert: Alert, number: int = 1) -> object:
    door = Door(
        strategies={
            s.name: KnownStrategy(sources=s.sources, bot_versions=s.bot_versions)
            for s in FLEET.strategies.values()
        },
        symbols=dict(FLEET.symbols),
    )
    source = KnownSource(
        name=Source("tradingview"), dialect="tradingview", max_age_ns=30_000_000_000,
        bucket_ns=10_000_000_000,
    )  # fmt: skip
    body = body_of(alert, Decimal("1.08500"), NOW_NS, number)
    return examine(body, source, door, NOW_NS)


def accepted(alert: Alert, number: int = 1) -> SignalAccepted:
    found = look(alert, number)
    assert isinstance(found, Accepted), found
    return found.signal


@pytest.mark.parametrize(("step", "do"), POSTS, ids=[step.name for step, _ in POSTS])
def test_each_alert_is_taken_or_refused_as_its_step_says(step: Step, do: Post) -> None:
    found = look(do.alert)
    if do.alert.wrong_token or "409 conflict" in do.answers or "200 alive" in do.answers:
        return  # not for the message alone to decide
    if "200 accepted" in do.answers:
        assert isinstance(found, Accepted)
    else:
        assert isinstance(found, Refused)
        assert do.answers[0].endswith(found.refusal.code)


def test_two_alerts_of_one_second_are_two_signals() -> None:
    assert accepted(Alert(), 1).signal_id != accepted(Alert(), 2).signal_id
    assert accepted(Alert(), 1).signal_id == accepted(Alert(), 1).signal_id


def test_a_reversal_is_said_as_the_position_wanted() -> None:
    reversal = next(do.alert for step, do in POSTS if step.name == "reversal")

    signal = accepted(reversal)

    assert (signal.action, signal.target_position) == (Action.TARGET, Decimal("-0.1"))
    assert signal.stop_price is not None
    assert signal.stop_price > Decimal("1.085")  # above the price: it protects a short


def test_the_header_follows_the_content_as_tradingview_has_it() -> None:
    good, bad = b'{"a": 1}', b"not json"

    assert b"application/json" in head_of(good, "/p", "h", as_text=False)
    assert b"text/plain" in head_of(good, "/p", "h", as_text=True)
    assert b"text/plain" in head_of(bad, "/p", "h", as_text=False)
    assert b"User-Agent: Go-http-client/1.1\r\n" in head_of(good, "/p", "h", as_text=False)


def test_the_story_names_only_what_exists() -> None:
    names = [step.name for step in STORY]
    assert len(set(names)) == len(names)
    for number, step in enumerate(STORY):
        assert not step.of or step.of in names[:number]
        assert set(step.proofs) <= set(PROOFS)
        assert set(step.verdicts) <= set(FLEET.accounts)
        accounts = {do.account for do in step.do if isinstance(do, Misbehave)}
        assert accounts <= set(FLEET.accounts)


def test_every_step_compares_something() -> None:
    silent = [
        step.name
        for step in STORY
        if not (step.verdicts or step.proofs or any(isinstance(do, Post) for do in step.do))
        and step.wait is not Wait.NOTHING
    ]
    assert silent == []
