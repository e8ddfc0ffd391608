"""The measurement: its parts, the floor, and a short run of the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from argos_cli.bench.config import bench_config
from argos_cli.bench.floor import measure_floor
from argos_cli.bench.measure import quantiles
from argos_cli.bench.memory import memory_mb
from argos_cli.bench.tables import markdown
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.settings import load_fleet

ROOT = Path(__file__).parents[3]


def test_the_measured_fleet_is_one_that_can_be_used(tmp_path: Path) -> None:
    lanes = bench_config(tmp_path / "fleet.toml")

    fleet = load_fleet(tmp_path / "fleet.toml")

    assert {lane["strategy"] for lane in lanes} == set(fleet.strategies)
    assert len({(lane["strategy"], lane["ticker"]) for lane in lanes}) == len(lanes)
    accounts = [fleet.strategies[lane["strategy"]].accounts for lane in lanes]
    assert accounts[0] != accounts[1]


async def test_the_floor_loses_nothing_and_takes_some_time(tmp_path: Path) -> None:
    found = await measure_floor(tmp_path, (40.0,), 1.0, SystemClock())

    assert len(found[40.0]) == 40
    assert min(found[40.0]) > 0


def test_memory_counts_what_a_process_started() -> None:
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)  # fmt: skip
    try:
        alone = memory_mb({"child": child.pid})["child"]
        both = memory_mb({"both": os.getpid()})["both"]
    finally:
        child.communicate()

    assert both > alone > 0


def result() -> dict[str, Any]:
    times = quantiles([1.0, 2.0, 3.0])
    rate = {
        "rate": 20.0, "floor_ms": times, "to_call_ms": times, "to_reconciled_ms": times,
        "answer_ms": times, "ratio_p50": 1.0, "hops_ms": {"venue called": times}, "lost": 0,
    }  # fmt: skip
    return {
        "seconds": 3,
        "machine": {"cpus": 2, "system": "x", "python": "3.11"},
        "rates": [rate],
        "sustained": {},
        "memory": [{"process": "risk", "start_mb": 40.0, "after_mb": 41.0}],
    }


def test_the_tables_say_whether_an_aim_was_reached() -> None:
    text = markdown(result())

    assert "| p50 within 2.5 × of the floor at 20/s | 1.00 × | yes |" in text
    slow = result()
    slow["rates"][0]["ratio_p50"] = 2.6
    assert "| p50 within 2.5 × of the floor at 20/s | 2.60 × | NO |" in markdown(slow)


@pytest.mark.timeout(180)
def test_a_short_run_measures_and_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "argos_cli", "bench", "--seconds", "3", "--rates", "10", "--json",
         "--out", str(tmp_path / "bench.md")],
        cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-4000:]
    shown = json.loads(done.stdout)
    (rate,) = shown["rates"]
    assert rate["sent"] == rate["answered_200"] == rate["finished"] == 30
    assert rate["reconciled_orders"] == rate["orders"] == 30
    assert rate["to_call_ms"]["p50"] > rate["floor_ms"]["p50"] > 0
    assert shown["sustained"]["finished"] == shown["sustained"]["sent"] > 0
    assert shown["lost"] == 0
    assert {each["process"] for each in shown["memory"]} >= {"risk", "bridge", "gateway"}
    assert "order_send" in (tmp_path / "bench.md").read_text("utf-8")
