"""How current this process's knowledge of the log is, on its monotonic clock.

Every `POLL_S` the log's leader is asked for its last sequence. Knowledge is confirmed as of the
moment of *asking*, once everything up to that sequence is folded. After a pause of the process the
age has grown by the pause, so a copy that slept never speaks from what it knew before.
"""

from __future__ import annotations

import asyncio
from collections import deque

from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Follower
from argos_common.runtime.log import Log, LogUnavailable

from argos_risk.ports import Report

POLL_S = 0.25
_ASKED_MAX = 64


class Currency:
    """Asks the log, and knows how old our knowledge is."""

    def __init__(self, log: Log, clock: Clock, follower: Follower, report: Report) -> None:
        self._log = log
        self._clock = clock
        self._follower = follower
        self._report = report
        self._asked: deque[tuple[int, int]] = deque(maxlen=_ASKED_MAX)
        self._confirmed_ns: int | None = None
        self.used_percent = 0
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            asked_ns = self._clock.monotonic_ns()
            try:
                status = await self._log.status()
            except LogUnavailable:
                pass
            else:
                self._asked.append((asked_ns, status.last_sequence))
                self.used_percent = int(status.used_ratio * 100)
                self._report.log_used(self.used_percent)
                if not self.caught_up.is_set():
                    await self._follower.reach(status.last_sequence)
                    self.caught_up.set()
            await self._clock.sleep(POLL_S)

    def age_ns(self) -> int | None:
        """How long ago we last knew everything; None: never yet."""
        while self._asked and self._asked[0][1] <= self._follower.sequence:
            self._confirmed_ns = self._asked.popleft()[0]
        if self._confirmed_ns is None:
            return None
        return self._clock.monotonic_ns() - self._confirmed_ns
