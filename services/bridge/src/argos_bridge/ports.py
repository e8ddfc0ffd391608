"""What the bridge needs of its surroundings, besides the log, the bus, the clock and the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import Log
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import Telemetry


class LogLines(Protocol):
    """Log lines for a person; a structlog logger is one."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...

    def error(self, event: str, **fields: object) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything the runner touches. `writer` names this very process, never used before."""

    log: Log
    bus: Bus
    clock: Clock
    writer: str
    telemetry: Telemetry
    metrics: Metrics
    lines: LogLines
