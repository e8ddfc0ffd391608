"""The programs of others that these tests run: where they are, or why a test is skipped.

    prometheus, promtool, amtool   Debian: apt-get install prometheus prometheus-alertmanager
    nats                           the official NATS CLI; built here once, where Go is there

Looked for on the PATH, in `.tools/bin`, and in the user's cache, where what is built is kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "argos/bin"
NATS_CLI = "github.com/nats-io/natscli/nats@v0.5.1"
BUILD_S = 600
DEBIAN = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
}


@cache
def find(name: str) -> Path | None:
    """The program's path, None if it is not on this machine."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".tools/bin"), str(CACHE)])
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def need(name: str) -> Path:
    """The program's path; the test is skipped, and says why, if it is not there."""
    found = find(name)
    if found is None:
        pytest.skip(f"NOT RUN: there is no {name}; apt-get install {DEBIAN[name]}")
    return found


@cache
def nats_cli() -> Path:
    """The NATS CLI, built if it is not there yet; the test is skipped if it cannot be."""
    found = find("nats")
    if found is not None:
        return found
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NOT RUN: there is no NATS CLI and no Go; go install {NATS_CLI}")
    CACHE.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [go, "install", NATS_CLI],
        env=os.environ | {"GOBIN": str(CACHE)},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"NOT RUN: the NATS CLI could not be built: {built.stderr[-300:]}")
    return CACHE / "nats"
