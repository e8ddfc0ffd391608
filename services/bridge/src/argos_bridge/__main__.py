"""`python -m argos_bridge`: the bridge as a process."""

from __future__ import annotations

import sys

from argos_bridge.main import main

if __name__ == "__main__":
    sys.exit(main())
