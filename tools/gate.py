"""Run every static check and say which failed; what `make check` runs.

All checks run even after a failure, so that one run shows everything there is to repair.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))

CHECKS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    # (name, command, how to repair)
    ("lint", (str(SCRIPTS / "ruff"), "check", "."), "make fmt repairs some of it"),
    ("format", (str(SCRIPTS / "ruff"), "format", "--check", "--quiet", "."), "make fmt"),
    ("types", (str(SCRIPTS / "mypy"),), "mypy's messages name the lines"),
    (
        "imports",
        (str(SCRIPTS / "lint-imports"), "--no-logo"),
        "the contracts are in .importlinter, each with its reason",
    ),
    ("protobuf", (sys.executable, "tools/proto.py", "--check"), "make proto"),
    (
        "architecture",
        (sys.executable, "-m", "pytest", "-q", "tests/architecture"),
        "each message says what to do",
    ),
)


def main() -> int:
    """Run all checks. Returns the exit code: 0 when all passed."""
    failed = []
    for name, command, repair in CHECKS:
        started = time.monotonic()
        result = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True, encoding="utf-8"
        )
        passed = result.returncode == 0
        seconds = time.monotonic() - started
        print(f"{'ok    ' if passed else 'FAILED'} {name:13}{seconds:5.1f} s", flush=True)
        if not passed:
            print((result.stdout + result.stderr).rstrip(), flush=True)
            failed.append(f"{name} ({repair})")
    print(f"check: failed: {'; '.join(failed)}" if failed else "check: all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
