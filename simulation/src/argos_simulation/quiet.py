"""Logs and metrics for services in a simulation: nobody reads them, but for secrets in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from argos_common.runtime.metrics import Metrics


class QuietLines:
    """A logger for every service's idea of one; `said` is given each line as one text."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said

    def debug(self, event: str, **fields: object) -> None:
        self._said(f"{event} {fields}")

    def info(self, event: str, **fields: object) -> None:
        self._said(f"{event} {fields}")

    def warning(self, event: str, **fields: object) -> None:
        self._said(f"{event} {fields}")

    def error(self, event: str, **fields: object) -> None:
        self._said(f"{event} {fields}")


@lru_cache(maxsize=1)
def metrics() -> Metrics:
    """One set for all simulated processes: decisions never depend on it."""
    return Metrics("simulation")
