"""`python -m argos_exchange_node`."""

from __future__ import annotations

import sys

from argos_exchange_node.main import run

sys.exit(run())
