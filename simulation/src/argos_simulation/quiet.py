"""Logs and metrics for services in a simulation: nobody reads them."""

from __future__ import annotations

from functools import lru_cache

from argos_common.runtime.metrics import Metrics


class QuietLines:
    """A logger that says nothing, for every service's idea of one."""

    def debug(self, event: str, **fields: object) -> None:
        pass

    def info(self, event: str, **fields: object) -> None:
        pass

    def warning(self, event: str, **fields: object) -> None:
        pass

    def error(self, event: str, **fields: object) -> None:
        pass


@lru_cache(maxsize=1)
def metrics() -> Metrics:
    """One set for all simulated processes: decisions never depend on it."""
    return Metrics("simulation")
