"""A log that counts its answers, and how long they took."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import Answer, Append, Entry, Log, LogStatus
from argos_common.runtime.metrics import Metrics
from argos_common.wire.subjects import PREFIX


class MeteredLog:
    """Implements `Log` by another one."""

    def __init__(self, log: Log, metrics: Metrics, clock: Clock) -> None:
        self._log = log
        self._metrics = metrics
        self._clock = clock

    async def append(self, append: Append) -> Answer:
        begun_ns = self._clock.monotonic_ns()
        answer = await self._log.append(append)
        self._count(append.subject, answer, begun_ns)
        return answer

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        begun_ns = self._clock.monotonic_ns()
        answer = await self._log.append_batch(appends)
        self._count(appends[0].subject, answer, begun_ns)
        return answer

    def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncIterator[Entry]:
        return self._log.read(after, subjects)

    async def last(self, subject: str) -> Entry | None:
        return await self._log.last(subject)

    async def status(self) -> LogStatus:
        status = await self._log.status()
        self._metrics.log_used_ratio.set(status.used_ratio)
        return status

    def _count(self, subject: str, answer: Answer, begun_ns: int) -> None:
        kind = subject.removeprefix(PREFIX).partition(".")[0]
        self._metrics.appends.labels(kind, type(answer).__name__.lower()).inc()
        took_ns = self._clock.monotonic_ns() - begun_ns
        self._metrics.append_seconds.labels(kind).observe(took_ns / NS_PER_S)
