"""An event loop on virtual time: it never waits, and the same program runs the same way twice.

When nothing is ready the clock jumps to the next timer. Nothing here touches a socket, a thread or
the machine's clock, so order follows from the program alone: callbacks first in, first out, timers
by time and then by the order they were set.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class Stuck(Exception):
    """Nothing is ready and no timer is set, yet the program has not ended."""


class _NoSelector(selectors.BaseSelector):
    """Stands where a selector would wait; instead of waiting it moves virtual time on."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._map: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._map[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._map.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        if timeout > 0 and self.loop is not None:
            self.loop.advance(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._map


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs coroutines on virtual time, which starts at 0 and is read by `time()` in seconds."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        selector = _NoSelector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self._virtual_s

    def advance(self, seconds: float) -> None:
        self._virtual_s += seconds
