"""How many programs a property test tries: few and always the same in the gate, many on demand.

    ARGOS_EXAMPLES=20 python -m pytest <path>

tries twenty times as many as the gate does, drawn anew each time. What fails then is shrunk and
printed; keep it as a case of its own.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

VARIABLE = "ARGOS_EXAMPLES"


def examples(count: int, *, dear: bool = False) -> settings:
    """`count` examples that never change, or `ARGOS_EXAMPLES` times as many new ones.

    `dear`: each takes real processes and seconds, so in the gate what fails is shown as it was found,
    and shrunk only when `ARGOS_EXAMPLES` asks for it.
    """
    times = int(os.environ.get(VARIABLE, "0") or 0)
    return settings(
        max_examples=count * max(times, 1),
        derandomize=not times,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[each for each in Phase if times or not dear or each is not Phase.shrink],
    )
