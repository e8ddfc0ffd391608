"""JSON for pipes and sockets between our own processes."""

from __future__ import annotations

import json
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode  # made only once
_decode = json.JSONDecoder().decode


def to_bytes(value: Any) -> bytes:  # JSON values, tuples as lists
    """UTF-8 JSON without spaces."""
    return _encode(value).encode()


def from_bytes(body: bytes) -> Any:  # JSON values
    """What the JSON says. Raises ValueError."""
    return _decode(body.decode())
