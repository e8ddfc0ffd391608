"""Runs risk: `python -m argos_risk`."""

from __future__ import annotations

import sys

from argos_risk.main import main

sys.exit(main())
