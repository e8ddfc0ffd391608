"""Whatever is wrong with what was typed: one sentence on stderr, nothing on stdout, the right code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Argos = Callable[..., Any]  # typer's own result
NO_FLEET = "no fleet runs on"
FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("status", 4, NO_FLEET),
        ("trades", 4, NO_FLEET),
        ("trade show abc", 4, NO_FLEET),
        ("verify", 4, NO_FLEET),
        ("kill", 4, NO_FLEET),
        ("resume --reason x --yes", 4, NO_FLEET),
        ("flatten --reason x", 4, NO_FLEET),
        ("log tail", 4, NO_FLEET),
        ("log export", 4, NO_FLEET),
        ("discrepancy list", 4, NO_FLEET),
        ("discrepancy resolve x --reason y", 4, NO_FLEET),
        ("discrepancy resolve x", 2, "--reason"),
        ("discrepancy resolve x --reason=", 2, "why it is settled"),
        ("trade show --", 2, "trade_id"),
        ("flatten --reason x --wait -1", 2, "--wait"),
        ("verify --wait -1", 2, "--wait"),
        ("verify --wait inf", 2, "inf is no length of time"),
        ("signal send nosuch.json --source a.b --via nats", 2, "cannot be part of a subject"),
        ("up --port nosuch=1 --config {fleet}", 2, "there is no such port"),
        ("replay", 4, NO_FLEET),
        ("ledger rebuild", 4, NO_FLEET),
        ("config approve --account a --reason x", 4, NO_FLEET),
        ("signal send --strategy s --action buy --symbol X", 4, NO_FLEET),
        ("signal send --strategy s --action buy --symbol X --via nats", 4, NO_FLEET),
        ("signal send", 2, "say which signal"),
        ("signal send nosuch.json", 2, "cannot be read"),
        ("signal send nosuch.json --strategy s", 2, "not both"),
        ("signal send --strategy s --action buy --symbol X --via pigeon", 2, "use http or nats"),
        ("resume --reason", 2, "requires an argument"),
        ("resume", 2, "--reason"),
        ("resume --yes --reason=", 2, "--reason is empty"),
        ("flatten", 2, "--reason"),
        ("replay nosuch.jsonl", 2, "cannot be read"),
        ("up --port gateway", 2, "is not NAME=PORT"),
        ("up --port gateway=70000", 2, "is not NAME=PORT"),
        ("up --config nosuch.toml", 2, "there is no"),
        ("log tail --from x", 2, "valid integer"),
        ("chaos --cycles 0", 2, "--cycles must be 1 or more"),
        ("chaos --seed -1", 2, "--seed 0 or more"),
        ("chaos --seed x", 2, "valid integer"),
        ("chaos --faults flood", 2, "there is no fault 'flood'"),
        ("chaos --out /proc/nowhere", 2, "choose another with --out"),
        ("nonsense", 2, "No such command"),
    ],
)
def test_one_sentence_and_the_right_code(
    arguments: str,
    code: int,
    words: str,
    argos: Argos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = argos(*arguments.format(fleet=FLEET_TOML).split())
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_resume_that_is_not_confirmed_by_its_word_changes_nothing(argos: Argos) -> None:
    for typed in ("yes\n", ""):
        result = argos("resume", "--reason", "calm again", stdin=typed)
        assert result.exit_code == 1
        assert "nothing was changed" in result.stderr


def test_every_mistake_of_the_configuration_is_named_at_once(argos: Argos, tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('nmae = "x"\n[gateway]\nport = "high"\n')
    result = argos("config", "check", "--file", str(file))
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert any(line.startswith(f"{file}:1:") for line in lines)
    assert any(line.startswith(f"{file}:3:") for line in lines)
    assert len(lines) > 2


def test_a_file_that_is_not_toml_is_said_with_its_line(argos: Argos, tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text("[gateway\n")
    result = argos("config", "check", "--file", str(file))
    assert result.exit_code == 2
    assert "is not TOML" in result.stdout


def test_a_state_folder_that_cannot_be_written_is_one_sentence(
    argos: Argos, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = argos("up", "--config", str(FLEET_TOML), "--state", str(tmp_path / "file" / "state"))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_recording_with_a_bad_line_names_it(argos: Argos, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"sequence": 1}\n')
    result = argos("replay", str(tmp_path / "events.jsonl"))
    assert result.exit_code == 2
    assert "line 1 of" in result.stderr


def test_help_is_readable_and_lists_every_command(argos: Argos) -> None:
    text = argos("--help").stdout
    for name in ("up", "status", "verify", "config", "signal", "trades", "trade", "kill", "resume",
                 "flatten", "log", "replay", "ledger"):  # fmt: skip
        assert f"\n  {name} " in text
