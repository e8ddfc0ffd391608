"""Configuration documents of the log, read back."""

from __future__ import annotations

from functools import lru_cache

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import WireError
from argos_common.wire.codec import from_json


@lru_cache(maxsize=256)  # a document is read by many, and whenever a process starts again
def config_in(document: str) -> AccountConfig:
    """The configuration in a document of the log. Raises WireError."""
    return from_json(AccountConfig, document)


def read_config(document: str) -> AccountConfig | None:
    """The same, None if it cannot be read."""
    try:
        return config_in(document)
    except WireError:
        return None
