"""`runs/<id>/`: what a run leaves behind, and `runs/latest`, which points to the newest.

trades.csv     one row per trade and account
events.jsonl   every entry of the log, raw bytes included: `argos replay` takes it
stats.json     the document that --json prints
summary.html   the run on one page
state/         the fleet's own folder: log, journals, ledger, what each process said
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.wire.codec import to_plain

from argos_cli.client.history import Recorded, write_recording
from argos_cli.report.page import page
from argos_cli.report.trades import trades_csv
from argos_cli.report.view import View

LATEST = "latest"


def new_run_folder(runs: Path, now_ns: int, *, option: str = "--runs") -> Path:
    """Make `runs/<id>` for a run that begins now. Raises OurMistake if that cannot be.

    `option`: with which another folder is chosen.
    """
    stamp = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(100):
            folder = runs / (f"{stamp}-{number}" if number else stamp)
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise OurMistake(
            f"the folder {runs} cannot be written ({error.strerror}): make it writable, or choose"
            f" another with {option}"
        ) from None
    raise OurMistake(f"{runs} already holds a hundred runs of this second: choose another folder")


def write_run(folder: Path, view: View, items: list[Recorded]) -> None:
    """Write everything but the state, then point `latest` at it."""
    _write(folder / "trades.csv", trades_csv(view.trades))
    write_recording(folder / "events.jsonl", items)
    write_stats(folder, view.document)
    _write(folder / "summary.html", page(view))
    point_latest(folder)


def write_stats(folder: Path, document: Mapping[str, Any]) -> None:
    """stats.json; decimals are texts."""
    _write(folder / "stats.json", json.dumps(to_plain(dict(document)), indent=2) + "\n")


def point_latest(folder: Path) -> None:
    """Let `latest` beside the folder point to it; where links cannot be made, a file names it."""
    latest = folder.parent / LATEST
    fresh = folder.parent / f".{LATEST}-{folder.name}"
    try:
        fresh.symlink_to(folder.name, target_is_directory=True)
        os.replace(fresh, latest)
    except OSError:
        fresh.unlink(missing_ok=True)
        if not latest.is_dir() or latest.is_symlink():
            latest.unlink(missing_ok=True)
            _write(latest, folder.name + "\n")


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    fresh.replace(path)
