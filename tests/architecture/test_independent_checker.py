"""The checker of the chaos command shares no code with what it checks.

It may use the standard library and itself; so a mistake in the fleet's own code, which everything else
shares, cannot hide in it.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "argos_cli.chaos.checker"
FOLDER = ROOT / "cli/src" / PACKAGE.replace(".", "/")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    return names


def test_the_checker_imports_nothing_of_the_fleet() -> None:
    files = sorted(FOLDER.rglob("*.py"))
    assert {file.name for file in files} >= {"records.py", "read.py", "decide.py"}
    strange = {
        f"{file.name}: {name}"
        for file in files
        for name in imported(file)
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith(PACKAGE)
    }
    assert strange == set()
