"""Prints the models' tables: python -m tests.model [-v]. With -v, the shortest way to each breach."""

from __future__ import annotations

import sys
import time

from tests.model.tables import TABLES


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Check everything; 1 if anything is not as it must be."""
    wrong, total = 0, 0.0
    for table in TABLES:
        _say(f"\n{table.title}\n")
        for case in table.cases:
            begun = time.process_time()
            found = case.check()
            total += time.process_time() - begun
            ok = found.broken == case.breaks
            wrong += not ok
            says = f"breaks {found.broken}" if found.broken else "holds"
            note = f" ({case.note})" if case.note else ""
            _say(f"{'  ' if ok else '!!'} {case.name:78} {found.states:7}  {says}{note}")
            if found.broken and "-v" in sys.argv:
                _say(f"     {table.invariants[found.broken]}")
                _say("     " + " > ".join(found.trace))
    _say(f"\n{total:.0f} s of processor time")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
