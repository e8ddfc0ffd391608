"""`python -m argos_gateway`."""

from __future__ import annotations

import sys

from argos_gateway.main import run

sys.exit(run())
