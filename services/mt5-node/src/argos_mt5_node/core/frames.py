"""Messages between the node and its worker process: four bytes of length, then UTF-8 JSON."""

from __future__ import annotations

import struct

from argos_mt5_node.core.calls import Json
from argos_mt5_node.core.quick_json import from_bytes, to_bytes

HEADER = struct.Struct(">I")
BODY_BYTES_MAX = 256 * 1024 * 1024


def pack(message: Json) -> bytes:
    """One message as a frame."""
    body = to_bytes(message)
    return HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """How many bytes follow. Raises ValueError for what cannot be a frame."""
    (length,) = HEADER.unpack(header)
    if not 2 <= length <= BODY_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes is not one of ours")
    return int(length)


def unpack(body: bytes) -> Json:
    """The message of a frame's body. Raises ValueError."""
    message = from_bytes(body)
    if not isinstance(message, dict):
        raise ValueError("a frame is not a JSON object")
    return message
