"""Write what follows from the metrics' registry: dashboards, and the table in the docs.

Usage: ``python tools/observability.py`` writes, ``--check`` only reports drift.

The dashboards are described in ``tools/dashboards``; their JSON is committed, so that Grafana needs
no tool of ours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from argos_common.runtime.metrics import HOPS, Metrics
from dashboards.fleet import FLEET
from dashboards.operations import NODES, RECONCILIATION, SERVERS
from dashboards.panels import render
from dashboards.trading import EXECUTION, LATENCY, RISK

ROOT = Path(__file__).resolve().parent.parent
DASHBOARDS = ROOT / "ops/grafana/dashboards"
PAGE = ROOT / "docs/observability.md"
ALL = (FLEET, EXECUTION, RISK, RECONCILIATION, NODES, LATENCY, SERVERS)
BEGIN, END = "<!-- metrics: made by tools/observability.py -->", "<!-- end of metrics -->"


def wanted() -> Mapping[Path, str]:
    """Every file with the text it should have."""
    found = {DASHBOARDS / f"{each.uid}.json": render(each) for each in ALL}
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    found[PAGE] = f"{head}{BEGIN}\n\n{metrics_table()}\n{END}{tail}"
    return found


def metrics_table() -> str:
    """Every metric of ours, as Markdown."""
    lines = ["| Metric | Kind | Labels | What |", "|---|---|---|---|"]
    for each in Metrics("docs").declared.values():
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind} | {labels} | {each.about} |")
    lines += ["", "The hops of `argos_hop_seconds`:", "", "| Hop | From, to |", "|---|---|"]
    lines += [f"| `{name}` | {about} |" for name, about in HOPS.items()]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with ``--check`` report drift. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write dashboards and the table of metrics.")
    parser.add_argument("--check", action="store_true", help="report drift, change nothing")
    check = parser.parse_args(arguments).check
    files = wanted()
    strays = [path for path in DASHBOARDS.glob("*.json") if path not in files]
    stale = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in [*stale, *strays]:
        print(f"observability: {path.relative_to(ROOT)} {'is out of date' if check else 'written'}")
        if not check and path in strays:
            path.unlink()
        elif not check:
            path.write_text(files[path], encoding="utf-8", newline="\n")
    if check and (stale or strays):
        print("observability: run `make dashboards`")
    return 1 if check and (stale or strays) else 0


if __name__ == "__main__":
    sys.exit(main())
