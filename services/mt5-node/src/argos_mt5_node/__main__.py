"""`python -m argos_mt5_node`."""

from __future__ import annotations

import sys

from argos_mt5_node.main import run

sys.exit(run())
