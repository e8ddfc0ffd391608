"""Frames between the facade or a control client and the server.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON, at most 16 MiB.

    request   {"id": n, "op": name, "path": terminal path, "args": {...}}
    answer    {"id": n, "code": last_error code, "text": detail, "value": ...}

Operations of the terminal are listed in ``desk``, control operations (``control.*``) in
``control``. A request whose answer never comes blocks nobody else.
"""

from __future__ import annotations

import struct
from typing import Any

from argos_mt5_node.core.quick_json import from_bytes, to_bytes

FRAME_MAX = 16 * 1024 * 1024
HEADER = struct.Struct(">I")


class FrameError(ValueError):
    """The peer sent what is not a frame of this protocol."""


def pack(message: dict[str, Any]) -> bytes:  # JSON values
    """A frame."""
    body = to_bytes(message)
    return HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Length of the body after a header. Raises FrameError."""
    (length,) = HEADER.unpack(header)
    if length > FRAME_MAX:
        message = f"a frame of {length} bytes is larger than {FRAME_MAX}"
        raise FrameError(message)
    return int(length)


def unpack(body: bytes) -> dict[str, Any]:  # JSON values
    """The message of a frame's body. Raises FrameError."""
    try:
        message = from_bytes(body)
    except ValueError as error:
        text = f"a frame is not JSON: {error}"
        raise FrameError(text) from None
    if not isinstance(message, dict):
        text = "a frame is not a JSON object"
        raise FrameError(text)
    return message
