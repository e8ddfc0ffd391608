"""The programs of others that these tests run: where they are, or why a test is skipped.

    prometheus, promtool, amtool   Debian: apt-get install prometheus prometheus-alertmanager
    nats, caddy                    built here once, where Go is there; a Debian caddy does, too
    otelcol                        `make collector`, where Go is there

Looked for on the PATH, in `.tools/bin`, and in the user's cache, where what is built is kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.integration.compose_file import settings

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
    return _built("nats", NATS_CLI)


@cache
def caddy() -> Path:
    """Caddy as docker-compose.yml runs it, built if there is none; the test is skipped if not."""
    version = settings()["EDGE_IMAGE"].partition(":")[2].partition("-")[0]
    return _built("caddy", f"github.com/caddyserver/caddy/v2/cmd/caddy@v{version}")


@cache
def collector() -> Path:
    """An OpenTelemetry collector; building one takes minutes, so only `make collector` does."""
    found = find("otelcol")
    if found is None:
        pytest.skip("NOT RUN: there is no otelcol; `make collector` builds it, where Go is")
    return found


def _built(name: str, package: str) -> Path:
    found = find(name)
    if found is not None:
        return found
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NOT RUN: there is no {name} and no Go; go install {package}")
    CACHE.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [go, "install", package],
        env=os.environ | {"GOBIN": str(CACHE)},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"NOT RUN: {name} could not be built: {built.stderr[-300:]}")
    return CACHE / name
