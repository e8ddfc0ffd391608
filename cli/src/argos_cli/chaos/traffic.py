"""The stream of alerts: lanes of careful senders, and a note of every answer.

A lane sends its next alert when the last one was answered for good: 200, or a refusal. Whatever
else comes (503, nobody there, no answer in time) is answered by sending the same bytes again.
"""

from __future__ import annotations

import asyncio
import json
import random  # noqa: TID251  # only ever from a seed
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from argos_common.runtime.clock import Clock
from argos_common.runtime.times import utc_text

from argos_cli.chaos.adversary import SHARE
from argos_cli.chaos.checker import read
from argos_cli.chaos.checker.records import Alert, Answer
from argos_cli.chaos.fleet_file import STREAMS, VERSION, Stream
from argos_cli.client.http import request

TIMEOUT_S = 5.0
AGAIN_S = 0.2
PAUSE_S = (0.3, 0.9)
COPIES = 4
RETRIED = frozenset({0, 429, 500, 502, 503, 504})
_BIGGER = Decimal(3)


@dataclass(slots=True)
class Notes:
    """What the senders wrote down; `sent` keeps the bytes, for the evidence folder."""

    alerts: list[Alert] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    """Keys that were answered for good."""


@dataclass(slots=True)
class Traffic:
    """All lanes. `moods`: what each lane believes it did last, kept over cycles."""

    clock: Clock
    notes: Notes
    url: str
    count: int = 0
    open_lanes: dict[str, int] = field(default_factory=dict)
    """Lane -> the side it believes to hold; absent: flat."""

    async def run(self, seed: int, habits: tuple[str, ...], stop: asyncio.Event) -> None:
        """Every lane sends until told to stop; returns when each has its last answer."""
        async with asyncio.TaskGroup() as group:
            for stream in STREAMS:
                chance = random.Random(f"alerts {seed} {stream.lane.name}")  # a seed is wanted
                group.create_task(self._lane(stream, chance, habits, seed, stop))

    async def _lane(
        self,
        stream: Stream,
        chance: random.Random,
        habits: tuple[str, ...],
        seed: int,
        stop: asyncio.Event,
    ) -> None:
        while not stop.is_set():
            self.count += 1
            key = f"{seed}-{stream.lane.name}-{self.count}"
            alert = self._next(stream, chance, key)
            body = self._body(stream, alert)
            self.notes.alerts.append(alert)
            self.notes.sent[key] = body.decode()
            copies = COPIES if "resend" in habits and chance.random() < SHARE else 1
            await asyncio.gather(*(self._until_answered(key, body) for _ in range(copies)))
            self.notes.answered.add(key)
            if "conflict" in habits and chance.random() < SHARE and alert.action != "exit":
                await self._until_answered(key, self._other(body), same=False)
            try:
                await asyncio.wait_for(stop.wait(), chance.uniform(*PAUSE_S))
            except TimeoutError:
                continue

    def _next(self, stream: Stream, chance: random.Random, key: str) -> Alert:
        """An entry where the lane believes to be flat; else mostly an exit, or more, or a reversal."""
        name = stream.lane.name
        side = self.open_lanes.get(name, 0)
        pick = chance.random()
        entry = chance.choice((1, -1)) if stream.both_sides else 1
        if side and pick < 0.6:
            self.open_lanes.pop(name)
            return Alert(key=key, lane=name, action="exit")
        if side and (pick < 0.8 or not stream.both_sides):
            return Alert(key=key, lane=name, action="add", side=side, quantity=stream.quantity)
        entry = -side or entry
        self.open_lanes[name] = entry
        action = "buy" if entry > 0 else "sell"
        return Alert(key=key, lane=name, action=action, side=entry, quantity=stream.quantity)

    def _body(self, stream: Stream, alert: Alert) -> bytes:
        body: dict[str, Any] = {
            "id": alert.key,
            "strategy": alert.lane,
            "bot_version": VERSION,
            "ticker": stream.lane.symbol,
            "action": alert.action,
            "fired_at": utc_text(self.clock.now_ns()),
        }
        if alert.action != "exit":
            body["quantity"] = str(alert.quantity)
            if stream.stop:
                body["stopLoss"] = {"type": "stop", "amount": stream.stop}
        if alert.action == "add":
            body["sentiment"] = "bullish" if alert.side > 0 else "bearish"
        return json.dumps(body).encode()

    @staticmethod
    def _other(body: bytes) -> bytes:
        """The same id asking for something else."""
        changed = json.loads(body)
        changed["quantity"] = str(Decimal(changed["quantity"]) * _BIGGER)
        return json.dumps(changed).encode()

    async def _until_answered(self, key: str, body: bytes, *, same: bool = True) -> None:
        while True:
            answer = await self._once(key, body, same=same)
            self.notes.answers.append(answer)
            if answer.status not in RETRIED:
                return
            await self.clock.sleep(AGAIN_S)

    async def _once(self, key: str, body: bytes, *, same: bool) -> Answer:
        sent_ns = self.clock.now_ns()
        try:
            response = await request(self.url, method="POST", body=body, timeout_s=TIMEOUT_S)
            status, said = response.status, response.body
        except (OSError, TimeoutError, ValueError):
            status, said = 0, b""
        return read.answer(key, sent_ns, self.clock.now_ns(), status, said, same=same)
