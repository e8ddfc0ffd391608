"""Logs: JSON, with what is bound, and without secrets."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.logs import bound, close_logs, configure_logs, hide_value
from argos_common.runtime.times import utc_text


@pytest.fixture(autouse=True)
def _logs_are_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    close_logs()
    root.handlers, root.level = handlers, level


def records(folder: Path) -> list[dict[str, object]]:
    text = (folder / "logs" / "risk.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_record_says_who_when_and_what_it_is_about(tmp_path: Path) -> None:
    logger = configure_logs("risk", tmp_path, "i1", SystemClock())
    with bound(trade_id="t1", bot_version="v1"):
        logger.info("decided", account="a1")
    logger.warning("later")
    first, second = records(tmp_path)
    assert first["time"].endswith("Z")  # type: ignore[attr-defined]  # a text
    del first["time"]
    assert first == {
        "service": "risk",
        "incarnation": "i1",
        "level": "info",
        "event": "decided",
        "account": "a1",
        "trade_id": "t1",
        "bot_version": "v1",
    }
    assert "trade_id" not in second


def test_no_secret_reaches_file_or_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = configure_logs("risk", tmp_path, "i1", SystemClock())
    hide_value("swordfish")
    logger.info(
        "POST /v1/webhooks/tv/abc123 took swordfish", password="pw-1", nested={"token": "t-1"}
    )
    logging.getLogger("library").warning("GET /v1/webhooks/tv/abc123?x=1 %s", "swordfish")
    try:
        raise ValueError("swordfish")
    except ValueError:
        logger.exception("failed")
    text = (tmp_path / "logs" / "risk.jsonl").read_text() + capsys.readouterr().err
    for secret in ("swordfish", "abc123", "pw-1", "t-1"):
        assert secret not in text
    assert len(records(tmp_path)) == 3
    assert "ValueError" in str(records(tmp_path)[2]["exception"])


def test_a_file_of_an_earlier_day_is_put_aside_and_seven_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    today = datetime.now(UTC).date()
    for age in range(2, 11):
        (folder / f"risk.jsonl.{today - timedelta(days=age)}").write_text("old\n")
    (folder / "risk.jsonl").write_text("yesterday's\n")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(folder / "risk.jsonl", (yesterday, yesterday))
    configure_logs("risk", tmp_path, "i1", SystemClock()).info("a new day")
    kept = sorted(path.name for path in folder.iterdir())
    days = [f"risk.jsonl.{today - timedelta(days=age)}" for age in range(7, 0, -1)]
    assert kept == ["risk.jsonl", *days]
    assert (folder / days[-1]).read_text() == "yesterday's\n"
    assert [each["event"] for each in records(tmp_path)] == ["a new day"]


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file, not a folder")
    with pytest.raises(OurMistake, match="cannot be written"):
        configure_logs("risk", blocked, "i1", SystemClock())


def test_time_is_exact() -> None:
    assert utc_text(1_767_323_045_000_000_006) == "2026-01-02T03:04:05.000000006Z"
