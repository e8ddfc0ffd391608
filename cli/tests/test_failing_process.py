"""A process that ends again and again is what `argos status` speaks of, whatever the monitor says."""

from __future__ import annotations

from pathlib import Path

from argos_cli.commands.status import FAILING_S, with_failing
from argos_cli.fleet.state_folder import (
    FleetRecord,
    LastEnd,
    last_record,
    mark_stopped,
    write_record,
)

NOW_NS = 1_000_000_000_000
ONLINE = {"status": "online", "healthy": True, "message": "Fleet running normally"}
WHY = "exit code 1: reconciler: the ledger is damaged: make it again with `argos ledger rebuild`"


def record(in_a_row: int, ago_s: int) -> FleetRecord:
    return FleetRecord(
        supervisor_pid=1, generation="g1", started_ns=1, config="fleet.toml", urls={},
        ended={"reconciler": LastEnd(NOW_NS - ago_s * 1_000_000_000, in_a_row, WHY)},
    )  # fmt: skip


def test_a_process_that_ends_again_and_again_is_named_with_its_reason() -> None:
    assert with_failing(ONLINE, record(3, ago_s=2), NOW_NS) == {
        "status": "stale",
        "healthy": False,
        "message": f"reconciler ended 3 times in a row ({WHY})",
    }


def test_one_end_or_one_long_ago_leaves_the_monitors_word() -> None:
    assert with_failing(ONLINE, record(1, ago_s=2), NOW_NS) == ONLINE
    assert with_failing(ONLINE, record(3, ago_s=FAILING_S), NOW_NS) == ONLINE


def test_the_record_keeps_who_ended_until_the_fleet_stops(tmp_path: Path) -> None:
    written = record(2, ago_s=0)
    write_record(tmp_path, written)
    assert last_record(tmp_path) == written
    mark_stopped(tmp_path)
    stopped = last_record(tmp_path)
    assert stopped is not None
    assert stopped.ended == {}
