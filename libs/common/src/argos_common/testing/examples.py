"""How many programs a property test tries: few and always the same in the gate, many on demand.

    ARGOS_EXAMPLES=20 python -m pytest <path>

tries twenty times as many as the gate does, drawn anew each time. What fails then is shrunk and
printed; keep it as a case of its own.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "ARGOS_EXAMPLES"


def examples(count: int) -> settings:
    """`count` examples that never change, or `ARGOS_EXAMPLES` times as many new ones."""
    times = int(os.environ.get(VARIABLE, "0") or 0)
    return settings(
        max_examples=count * max(times, 1),
        derandomize=not times,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
