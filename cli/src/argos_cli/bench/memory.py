"""Resident memory of a process and of what it started, from /proc; empty where there is none."""

from __future__ import annotations

from pathlib import Path

KB_PER_MB = 1024


def memory_mb(pids: dict[str, int]) -> dict[str, float]:
    """Name -> megabytes, children included."""
    proc = Path("/proc")
    if not proc.is_dir():
        return {}
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            lines = dict(
                line.split(":", 1)
                for line in (folder / "status").read_text("utf-8", "replace").splitlines()
                if ":" in line
            )
        except OSError:
            continue  # it has just ended
        pid = int(folder.name)
        children.setdefault(int(lines["PPid"]), []).append(pid)
        resident[pid] = int(lines.get("VmRSS", "0 kB").split()[0])
    return {name: _tree(pid, children, resident) / KB_PER_MB for name, pid in pids.items() if pid}


def _tree(pid: int, children: dict[int, list[int]], resident: dict[int, int]) -> int:
    return resident.get(pid, 0) + sum(
        _tree(child, children, resident) for child in children.get(pid, ())
    )
