"""The whole demo, as a person runs it: a real fleet, real HTTP, one document at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from argos_cli.client.history import read_recording

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(180)
def test_the_demo_keeps_every_promise_and_prints_one_document(tmp_path: Path) -> None:
    # A proxy that nobody answers on must not be asked for loopback addresses.
    env = os.environ | {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}

    done = subprocess.run(
        [sys.executable, "-m", "argos_cli", "demo", "--json", "--runs", str(tmp_path / "runs")],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    shown = json.loads(done.stdout)
    assert [p for p in shown["promises"] if not p["held"]] == []
    assert set(shown["must_be_zero"].values()) == {0}
    assert shown["orders_submitted"] == shown["broker_orders"] == shown["fills"] > 0
    assert shown["matched"] == shown["fills"]
    assert shown["broker_born_orders"] >= 1
    assert shown["signals_refused_at_door"] >= 8
    assert shown["in_doubt_resolved"] >= 1
    assert len(shown["kill"]["named_in_flight"]) == 1
    assert shown["kill"]["log_position"] > 0
    assert all(trade["hops"] for trade in shown["trades"])
    folder = tmp_path / "runs" / "latest"
    assert {"trades.csv", "events.jsonl", "stats.json", "summary.html", "state"} <= {
        path.name for path in folder.iterdir()
    }
    assert json.loads((folder / "stats.json").read_text("utf-8")) == shown
    sequences = [item.entry.sequence for item in read_recording(folder / "events.jsonl")]
    assert sequences == list(range(1, len(sequences) + 1))
