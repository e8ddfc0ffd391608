"""An event loop on virtual time: it never waits, and the same program runs the same way twice.

When nothing is ready the clock jumps to the next timer. Nothing here touches a socket, a thread or
the machine's clock, so order follows from the program alone: callbacks first in, first out, timers
by time and then by the order they were set.

A seed is tens of thousands of callbacks, so the loop is as bare as asyncio allows: no selector, no
context switch per callback (nothing that is simulated keeps a context variable across an await),
and a sleep is a future in the heap rather than a handle that sets one.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, cast

from argos_common.domain.times import NS_PER_S


class Stuck(Exception):
    """Nothing is ready and no timer is set, yet the program has not ended."""


class _Soon:
    """A callback that waits its turn, or its time. Stands where asyncio has a `Handle`."""

    __slots__ = ("_when_s", "args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], when_s: float = 0.0):
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self._when_s = when_s

    def cancel(self) -> None:
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self._when_s


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs coroutines on virtual time, which starts at 0.

    `time()` reads it in seconds, `now_ns` in nanoseconds. A callback that fails is a mistake of the
    simulation and ends it, until what is left is only let go of (`letting_go`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.letting_go = False
        self._virtual_s = 0.0
        self._soon: deque[_Soon] = deque()
        self._timers: list[tuple[float, int, _Soon | asyncio.Future[None]]] = []
        self._set = 0
        self.get_debug = bool  # type: ignore[method-assign]  # False, asked for by every future

    def time(self) -> float:
        return self._virtual_s

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """Done when so much time has passed. As `asyncio.sleep`, at a third of the price."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._set += 1
        heapq.heappush(self._timers, (self._virtual_s + max(0.0, seconds), self._set, future))
        return future

    # The part of asyncio's loop that programs reach, on the queue and the heap.

    def call_soon(  # type: ignore[override]  # a lighter handle, as asyncio's own callers need it
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Soon:
        del context
        soon = _Soon(callback, args)
        self._soon.append(soon)
        return soon

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there is one thread

    def call_at(  # type: ignore[override]  # as above
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Soon:
        del context
        timer = _Soon(callback, args, when)
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, timer))
        return timer

    def call_later(  # type: ignore[override]  # as above
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Soon:
        return self.call_at(self._virtual_s + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        """Run until asked to stop. Raises Stuck."""
        soon, timers = self._soon, self._timers
        while not self._stopping:  # type: ignore[attr-defined]  # of the base class
            if soon:
                each = soon.popleft()
                callback = each.callback
                if callback is None:
                    continue
                try:
                    callback(*each.args)
                except BaseException as error:
                    if not self.letting_go:
                        raise
                    self.call_exception_handler(
                        {"message": "a callback failed", "exception": error}
                    )
                continue
            if not timers:
                raise Stuck("nothing is ready and no timer is set")
            when_s, _, due = heapq.heappop(timers)
            if isinstance(due, _Soon):
                if due.callback is None:
                    continue
                soon.append(due)
            elif due.done():
                continue
            else:
                due.set_result(None)
            if when_s > self._virtual_s:
                self._virtual_s = when_s
                self.now_ns = round(when_s * NS_PER_S)


def sleep(seconds: float) -> asyncio.Future[None]:
    """`await` it to wait so many virtual seconds."""
    return running().sleep(seconds)


def running() -> VirtualLoop:
    """The loop that is running."""
    return cast("VirtualLoop", asyncio.get_running_loop())
