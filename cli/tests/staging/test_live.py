"""Nothing trades real money because somebody typed `docker compose up`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[3] / "fleet.toml"
REAL_NODE = """\
[nodes.mt5]
kind = "mt5"
terminal = "real"
login = 4242
server = "Broker-Live"
password_file = "secrets/mt5"
address = "tls://127.0.0.1:1"
"""


def check(config: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "argos_cli", "staging", "check", "--config", str(config), *options],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **env}, check=False,
    )  # fmt: skip


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The example with one armed live account on a real terminal elsewhere."""
    text = EXAMPLE.read_text(encoding="utf-8")
    head, _, rest = text.partition("[nodes.mt5]")
    text = head + REAL_NODE + rest[rest.index("[nodes.paper]") :]
    account, _, others = text.partition("[accounts.mt5-net]")
    account = account.replace("live = false            # real money also needs", "live = true #")
    account = account.replace("settling_s = 3 ", "settling_s = 60 ")
    text = account + others[others.index("[accounts.paper-spot]") :]
    text = text.replace('accounts = ["mt5-hedge", "mt5-net"]', 'accounts = ["mt5-hedge"]')
    text = text.replace(
        "[strategies.trend.multipliers]\nmt5-net = 0.5           # half the size there\n", ""
    )
    text += '\n[arming.mt5-hedge]\nphrase = "trade real money on mt5-hedge"\n'
    config = tmp_path / "fleet.toml"
    config.write_text(text, encoding="utf-8")
    return config


def test_a_paper_fleet_may_start() -> None:
    asked = check(EXAMPLE)
    assert (asked.returncode, asked.stdout) == (0, "paper only\n"), asked.stderr


def test_a_live_account_is_refused_unless_real_money_is_meant(live: Path) -> None:
    asked = check(live)
    assert asked.returncode == 3
    assert "account mt5-hedge is live, but this fleet was started for paper" in asked.stderr


def test_real_money_without_certificates_or_without_a_live_account_is_refused(live: Path) -> None:
    without = check(live, "--trade", "live")
    assert (without.returncode, "ARGOS_NODE_CA_FILE" in without.stderr) == (3, True)
    paper = check(EXAMPLE, "--trade", "live")
    assert (paper.returncode, "no account is live" in paper.stderr) == (3, True)
    assert check(EXAMPLE, "--trade", "yes").returncode == 2


def test_the_profile_live_refuses_without_arming_or_without_a_host_in_one_sentence(
    live: Path,
) -> None:
    unarmed = check(EXAMPLE, "--only-live", "--host", "")
    assert unarmed.returncode == 3
    assert "set ARGOS_TRADE=live if that is meant" in unarmed.stderr
    for config in (live, EXAMPLE):
        nowhere = check(config, "--only-live", "--trade", "live", "--host", "")
        assert nowhere.returncode == 3
        assert "set ARGOS_MT5_ADDRESS=tls://host:port" in nowhere.stderr
        assert len(nowhere.stderr.strip().splitlines()) == 1
