"""`python -m argos_monitor`."""

from __future__ import annotations

import sys

from argos_monitor.main import run

if __name__ == "__main__":
    sys.exit(run())
