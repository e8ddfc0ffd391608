"""`python -m argos_cli.bench.load PLAN`: posts alerts, in a process of its own.

The plan is a JSON file (see `LoadPlan`). At a rate, requests start when they are due, whatever the
answers do (open loop), so that slowness shows as latency and not as fewer requests. Without a rate,
each lane posts its next alert when stdin says that its last one is reconciled (closed loop): one
line per signal, its id.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from argos_common.domain.times import NS_PER_MS, NS_PER_S
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.times import utc_text

from argos_cli.client.keep_alive import KeepAlive, post_head

LAST_EXIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What to post.

    `lanes`: the fields of each lane's alerts; a lane alternates between an entry and an exit. Empty:
    the floor, whose key stands in the path. `rate` per second, 0: closed loop. `name` makes ids unique.
    """

    port: int
    path: str
    out: str
    name: str
    seconds: float
    rate: float = 0.0
    lanes: tuple[dict[str, Any], ...] = ()

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


class Load:
    """Posts, and writes one line per answer: id, status, sent (wall, ns), milliseconds."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._clock = SystemClock()
        self._idle: list[KeepAlive] = []
        self._lines: list[str] = []
        self._turns = [0] * max(1, len(plan.lanes))
        self._credit = [asyncio.Semaphore(1) for _ in self._turns]
        self._waiting: dict[str, int] = {}
        self._headers = (("Content-Type", "application/json; charset=utf-8"),)
        self._heads: dict[str, bytes] = {}

    async def run(self) -> None:
        if self._plan.rate:
            await self._at_rate()
        else:
            await self._by_credit()

    def save(self) -> None:
        """Write what was answered."""
        Path(self._plan.out).write_text("".join(self._lines), encoding="ascii")

    async def _at_rate(self) -> None:
        count = max(2, round(self._plan.rate * self._plan.seconds))
        # Every entry gets its exit, so that a run leaves nothing behind for the next.
        lanes = min(len(self._turns), count // 2)
        count -= count % (2 * lanes)
        start_ns = self._clock.monotonic_ns()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                due_ns = start_ns + int(number * NS_PER_S / self._plan.rate)
                left_ns = due_ns - self._clock.monotonic_ns()
                if left_ns > 0:
                    await self._clock.sleep(left_ns / NS_PER_S)
                group.create_task(self._one(number, number % lanes))

    async def _by_credit(self) -> None:
        until_ns = self._clock.monotonic_ns() + int(self._plan.seconds * NS_PER_S)
        listening = asyncio.create_task(self._listen())
        numbers = iter(range(sys.maxsize))
        try:
            async with asyncio.TaskGroup() as group:
                for lane in range(len(self._turns)):
                    group.create_task(self._lane(lane, until_ns, numbers))
        finally:
            listening.cancel()

    async def _lane(self, lane: int, until_ns: int, numbers: Iterator[int]) -> None:
        credit = self._credit[lane]
        while (now_ns := self._clock.monotonic_ns()) < until_ns or self._turns[lane] % 2:
            left_s = max(0.0, (until_ns - now_ns) / NS_PER_S)
            try:
                # An entry that is under way at the end still gets its exit.
                wait_s = left_s + (LAST_EXIT_S if self._turns[lane] % 2 else 0.0)
                await asyncio.wait_for(credit.acquire(), wait_s)
            except TimeoutError:
                break
            await self._one(next(numbers), lane)

    async def _one(self, number: int, lane: int) -> None:
        key = f"{number}-{self._plan.name}"
        head, body = self._request(key, lane)
        connection = self._idle.pop() if self._idle else KeepAlive("127.0.0.1", self._plan.port)
        sent_ns, start_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        try:
            response = await connection.post(head, body)
            status = response.status
            answered = response.body
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            connection.close()
            status, answered = 0, b""
        took_ms = (self._clock.monotonic_ns() - start_ns) / NS_PER_MS
        self._idle.append(connection)
        found = json.loads(answered).get("signal_id", key) if self._plan.lanes and answered else key
        self._waiting[found] = lane
        self._lines.append(f"{found} {status} {sent_ns} {took_ms:.3f}\n")

    async def _listen(self) -> None:
        """Each line on stdin is the id of a signal that is reconciled: its lane may post again."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            lane = self._waiting.pop(line.decode().strip(), None)
            if lane is not None:
                self._credit[lane].release()

    def _request(self, key: str, lane: int) -> tuple[bytes, bytes]:
        host = f"127.0.0.1:{self._plan.port}"
        if not self._plan.lanes:
            return post_head(f"{self._plan.path}/{key}", host, self._headers), b"{}"
        turn = self._turns[lane]
        self._turns[lane] += 1
        alert = dict(self._plan.lanes[lane])
        stop = alert.pop("stopLoss")
        alert |= {"action": "exit"} if turn % 2 else {"action": "buy", "stopLoss": stop}
        alert |= {"id": key, "time": utc_text(self._clock.now_ns())}
        head = self._heads.setdefault("", post_head(self._plan.path, host, self._headers))
        return head, json.dumps(alert).encode()


@dataclass(frozen=True, slots=True)
class Answered:
    """One line of what the load process wrote."""

    key: str
    status: int
    sent_ns: int
    ms: float


def answers(path: Path) -> list[Answered]:
    """Every answer that the load process noted."""
    found = []
    for line in path.read_text(encoding="ascii").splitlines():
        key, status, sent, ms = line.split(" ")
        found.append(Answered(key, int(status), int(sent), float(ms)))
    return found


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    plan["lanes"] = tuple(plan["lanes"])
    load = Load(LoadPlan(**plan))
    run_loop(load.run())
    load.save()
