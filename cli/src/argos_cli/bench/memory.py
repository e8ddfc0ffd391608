"""Memory and CPU time of a process and of what it started, from /proc; empty where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

KB_PER_MB = 1024


def memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Name -> resident megabytes, children included."""
    return {name: value / KB_PER_MB for name, value in _over_trees(pids, _resident_kb).items()}


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Name -> seconds of CPU used since it began, children that still live included."""
    ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    return {name: value / ticks for name, value in _over_trees(pids, _ticks).items()}


def _over_trees(pids: Mapping[str, int], read: Callable[[Path], int]) -> dict[str, int]:
    proc = Path("/proc")
    if not proc.is_dir():
        return {}
    children: dict[int, list[int]] = {}
    values: dict[int, int] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int(_stat(folder)[1])
            values[int(folder.name)] = read(folder)
        except (OSError, IndexError, ValueError):
            continue  # it has just ended
        children.setdefault(parent, []).append(int(folder.name))
    return {name: _tree(pid, children, values) for name, pid in pids.items() if pid}


def _stat(folder: Path) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold anything."""
    return (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _resident_kb(folder: Path) -> int:
    pages = int((folder / "statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // KB_PER_MB


def _ticks(folder: Path) -> int:
    fields = _stat(folder)
    return int(fields[11]) + int(fields[12])


def _tree(pid: int, children: dict[int, list[int]], values: dict[int, int]) -> int:
    return values.get(pid, 0) + sum(
        _tree(child, children, values) for child in children.get(pid, ())
    )
