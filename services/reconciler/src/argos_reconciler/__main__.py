"""`python -m argos_reconciler`."""

from __future__ import annotations

import sys

from argos_reconciler.main import run

if __name__ == "__main__":
    sys.exit(run())
