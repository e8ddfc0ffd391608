"""A short attack on the real processes: a kill -9, a freeze, and the kill switch, with seeds of its own.

`argos chaos` runs longer ones, with every fault.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kit import until

SEED = "34"
FAULTS = "kill-service,freeze,kill-switch-risk,resend,conflict"

pytestmark = pytest.mark.timeout(180)


def chaos(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "argos_cli", "chaos", "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(folder: Path) -> Iterator[str]:
    """Command lines that name the folder."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and "argos_cli chaos" not in line:
            yield line


def test_two_cycles_of_an_attack_are_survived_and_leave_nothing_behind(tmp_path: Path) -> None:
    running = chaos(tmp_path, "--cycles", "2", "--seed", SEED, "--faults", FAULTS, "--json")
    said, told = running.communicate(timeout=170)
    assert running.returncode == 0, told
    report = json.loads(said)
    assert (report["chaos"], report["cycles"], report["findings"]) == ("PASS", 2, [])
    struck = report["faults"]
    assert min(struck[name] for name in ("kill-service", "freeze", "kill-switch-risk")) >= 1, struck
    assert report["signals"] > 0
    assert report["orders"] > 0
    assert list(processes_of(tmp_path)) == []
    (folder,) = tmp_path.glob("2*")
    assert [each.name for each in folder.iterdir()] == ["chaos.json"]


async def test_an_interrupted_attack_ends_everything(tmp_path: Path) -> None:
    running = chaos(tmp_path, "--cycles", "5", "--faults", "none")
    try:
        await until(lambda: any("argos_mt5_node" in p for p in processes_of(tmp_path)), "it runs")
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode != 0
    assert "Traceback" not in told
    assert list(processes_of(tmp_path)) == []
