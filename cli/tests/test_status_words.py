"""What `argos status` says to a person, in order of what matters."""

from __future__ import annotations

from typing import Any

import pytest
from argos_cli.commands.status import _show

ACCOUNT: dict[str, Any] = {
    "account": "mt5-hedge",
    "mode": "paper",
    "killed": False,
    "venue": {"ready": True, "reason": "", "equity": "99998.95", "currency": "USD"},
    "open_positions": 1,
    "in_doubt": 0,
    "held_symbols": ["EURUSD"],
    "config_proposal": None,
    "last_fill": None,
}
DOCUMENT: dict[str, Any] = {
    "status": "online",
    "healthy": True,
    "message": "Fleet running normally",
    "accounts": [ACCOUNT],
    "services": [
        {
            "name": "risk",
            "state": "online",
            "age_ms": 4012,
            "said": "running",
            "sequence": 3,
            "lag": 2,
        }
    ],
    "kill": {"engaged": False},
    "today": {"signals": 4, "refused_at_door": 1},
    "log": {"generation": "g1", "last_sequence": 5, "used_ratio": "0.25", "fresh": False},
}


def said(capsys: pytest.CaptureFixture[str], **changes: object) -> str:
    _show(DOCUMENT | changes)
    return capsys.readouterr().out


def test_the_word_comes_first_and_a_stale_log_shouts(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)
    assert text.splitlines()[0] == "ONLINE: Fleet running normally"
    assert "25.0 % full, NOT FRESH" in text
    assert "4012 ms" in text
    assert "2 entries" in text
    assert "KILLED" not in text


def test_without_risk_or_bridge_no_account_takes_new_risk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, state, words in (
        ("risk", "late", "no: risk is late"),
        ("bridge", "offline", "no: bridge is offline"),
        ("reconciler", "offline", "yes"),
    ):
        service = DOCUMENT["services"][0] | {"name": name, "state": state}
        row = said(capsys, services=[service]).splitlines()[3]
        assert words in row


def test_what_holds_a_symbol_is_said_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"discrepancy_id": "unknown_deal-1_0", "symbol": "EURUSD", "sentence": "1 lot too many"}
    text = said(capsys, accounts=[ACCOUNT | {"discrepancies": [found]}])
    assert "EURUSD on mt5-hedge: 1 lot too many" in text
    assert "argos discrepancy resolve unknown_deal-1_0 --reason" in text


def test_a_kill_is_named_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    kill = {"engaged": True, "fleet": False, "accounts": ["mt5-hedge"], "reason": "drill"}
    assert "KILLED mt5-hedge: drill" in said(capsys, kill=kill)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"killed": True}, "no: killed"),
        ({"venue": {"ready": False, "reason": "trading is off"}}, "no: trading is off"),
        ({"venue": None}, "no: the venue is not heard of"),
        ({"config_proposal": "abc"}, "a configuration waits for approval"),
    ],
)
def test_it_says_whether_new_risk_may_start_and_why_not(
    capsys: pytest.CaptureFixture[str], change: dict[str, Any], words: str
) -> None:
    text = said(capsys, accounts=[ACCOUNT | change])
    assert words in " ".join(text.split())
