"""Configurations proposed by `fleet.toml`, whenever the file changes."""

from __future__ import annotations

from pathlib import Path

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.settings import load_fleet


class FleetFile:
    """Implements `Proposals`. A file that cannot be used is said once per change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> tuple[AccountConfig, ...] | None:
        try:
            status = self._path.stat()
        except OSError as error:
            if self._seen == (0, 0):
                return None
            self._seen = (0, 0)
            raise ConfigMistake(f"{self._path} cannot be read ({error.strerror})") from None
        mark = (status.st_mtime_ns, status.st_size)
        if mark == self._seen:
            return None
        self._seen = mark
        return tuple(load_fleet(self._path).accounts.values())
