"""Ports on the loopback interface: free ones are picked together, fixed ones are checked.

Picked ports lie below the range from which the system takes the ports of outgoing connections, so
that a connection of one service can't sit on the port that another is about to listen on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from argos_common.domain.errors import OurMistake

LOWEST, HIGHEST = 20_000, 32_000
_STRIDE = 97


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(wanted: Mapping[str, int], fixes: Mapping[str, str]) -> dict[str, int]:
    """A port for each name: the one wanted, or any free one where 0 is wanted.

    `fixes` says for each name how to choose another port. Raises OurMistake if a fixed one is
    taken.
    """
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if port == 0:
            continue
        if port in chosen.values():
            raise OurMistake(f"port {port} is wanted twice: {fixes[name]}")
        if not is_free(port):
            raise OurMistake(
                f"port {port} on 127.0.0.1 for {name} is taken: stop what uses it, or {fixes[name]}"
            )
        chosen[name] = port
    candidate = LOWEST + os.getpid() * _STRIDE % (HIGHEST - LOWEST)
    for name, port in wanted.items():
        if port == 0:
            candidate = _next_free(candidate, chosen)
            chosen[name] = candidate
    return chosen


def _next_free(start: int, chosen: Mapping[str, int]) -> int:
    for step in range(1, HIGHEST - LOWEST):
        port = LOWEST + (start - LOWEST + step) % (HIGHEST - LOWEST)
        if port not in chosen.values() and is_free(port):
            return port
    raise OurMistake(f"no port from {LOWEST} to {HIGHEST} is free on 127.0.0.1: stop something")
