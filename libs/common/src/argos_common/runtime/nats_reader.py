"""Reading the log in order, each entry once, whatever happens to the connection or the server.

A feed is one short-lived consumer on the server, which pushes entries without being asked and
numbers what it pushes. It is given up, and a new one made from the last entry received, when

- a number is missing (something was lost on the way),
- nothing, not even a heartbeat, came for `LATE_S`,
- the connection was lost and came back.

So no entry can be skipped, and since the next feed starts after the last received, none repeated.
Nothing is ever deleted from the log, so a sequence that is not there was lost by the server, as when
it finds bytes on its disk changed. That ends the reading: a kill may have been in it.

The server asks for a sign of progress now and then (flow control); it is given when the entries
before the question have been taken by the reader, which bounds what waits in memory.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import Entry, LogDamaged
from argos_common.runtime.nats_answers import APPENDED_HEADER
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NoAnswer,
    NobodyThere,
    NotSent,
)

HEARTBEAT_S = 1.0
LATE_S = 2.5
RETRY_S = 0.2
ABANDONED_S = 10
"""After this long without a listener the server forgets a feed."""

_V1_TOKENS = 9  # $JS.ACK.stream.consumer.delivered.sequence.number.time.pending
_V2_EXTRA = 2  # the same with domain and account hash after $JS.ACK


@dataclass(frozen=True, slots=True)
class _Progress:
    """The server's question, to be answered when the entries before it are taken."""

    reply: str


class _Feed:
    """One consumer on the server and what it has pushed so far."""

    def __init__(self, reader: NatsReader, name: str) -> None:
        self.name = name
        self.lost = False
        self.heard_ns = reader.clock.monotonic_ns()
        self.number = 0
        self.subscription: Subscription | None = None
        self._reader = reader

    def arrived(self, message: Msg) -> None:
        if self.lost:
            return
        self.heard_ns = self._reader.clock.monotonic_ns()
        headers = message.headers
        if headers is not None and "Status" in headers and not message.data:
            self._control(message, headers)
        else:
            self._entry(message)
        self._reader.wake.set()

    def _entry(self, message: Msg) -> None:
        tokens = message.reply.split(".")
        if len(tokens) > _V1_TOKENS:
            tokens = tokens[_V2_EXTRA:]
        number = int(tokens[6])
        if number != self.number + 1:
            self.lost = True
            return
        self.number = number
        sequence = int(tokens[5])
        if self._reader.skips(sequence):
            self.lost = True
            return
        first = message.headers.get(APPENDED_HEADER) if message.headers else None
        self._reader.received(
            Entry(
                sequence=sequence,
                subject=message.subject,
                data=message.data,
                appended_ns=int(first or tokens[7]),
            )
        )

    def _control(self, message: Msg, headers: dict[str, str]) -> None:
        if headers["Status"] != "100":
            self.lost = True
        elif message.reply:
            self._reader.backlog.append(_Progress(message.reply))
        elif int(headers.get("Nats-Last-Consumer", "0")) > self.number:
            self.lost = True
        elif stalled := headers.get("Nats-Consumer-Stalled"):
            self._reader.backlog.append(_Progress(stalled))


class NatsReader:
    """One ordered reading; `entries` is used once."""

    def __init__(
        self,
        connection: NatsConnection,
        stream: str,
        *,
        after: int,
        subjects: Sequence[str],
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self.clock = clock
        self.wake = asyncio.Event()
        self.backlog: deque[Entry | _Progress] = deque()
        self._connection = connection
        self._stream = stream
        self._subjects = list(subjects)
        self._timeout_s = timeout_s
        self._last = after
        self._feed: _Feed | None = None
        self._opened = False
        self._gone: tuple[int, int] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def skips(self, sequence: int) -> bool:
        """Whether entries before this one are gone; then the reading ends behind them."""
        if not self._subjects and sequence > self._last + 1:
            self._gone = (self._last + 1, sequence - 1)
        return self._gone is not None

    def received(self, entry: Entry) -> None:
        self._last = entry.sequence
        self.backlog.append(entry)

    async def entries(self) -> AsyncGenerator[Entry, None]:
        """Yield for ever. Raises OurMistake if the log cannot be the one read before, or LogDamaged."""
        forget = self._connection.on_back(self._came_back)
        backlog = self.backlog
        try:
            while True:
                if self._gone is not None and not backlog:
                    first, last = self._gone
                    raise LogDamaged(f"entries {first} to {last} are gone")
                if self._gone is None and (self._feed is None or self._feed.lost):
                    await self._open()
                while backlog:
                    item = backlog.popleft()
                    if isinstance(item, Entry):
                        yield item
                    else:
                        await self._send_quietly(item.reply)
                await self._wait()
        finally:
            forget()
            if self._alarm is not None:
                self._alarm.cancel()
            await self._drop_feed()

    def _came_back(self) -> None:
        if self._feed is not None:
            self._feed.lost = True
        self.wake.set()

    async def _wait(self) -> None:
        feed = self._feed
        if feed is None or feed.lost or self.backlog:
            return
        self.wake.clear()
        silent_ns = self.clock.monotonic_ns() - feed.heard_ns
        patience_s = LATE_S - silent_ns / NS_PER_S
        if patience_s <= 0:
            feed.lost = True
            return
        if self._alarm is None:  # one for many waits: it looks again when it is too early
            self._alarm = asyncio.get_running_loop().call_later(patience_s, self._look_up)
        await self.wake.wait()

    def _look_up(self) -> None:
        """The next round sees how long it has been silent."""
        self._alarm = None
        self.wake.set()

    async def _open(self) -> None:
        """Make a feed from the last entry received; tries until it has one."""
        while True:
            await self._drop_feed()
            try:
                await self._check_end()
                self._feed = await self._new_feed()
            except (NotSent, NobodyThere, NoAnswer):
                await self.clock.sleep(RETRY_S)
            else:
                self._opened = True
                return

    async def _check_end(self) -> None:
        """A log that ends before what was read is another log, or an older copy of this one."""
        info = await self._ask(f"$JS.API.STREAM.INFO.{self._stream}", {})
        state = info["state"]
        assert isinstance(state, dict)  # noqa: S101  # the server's own format
        end = int(state["last_seq"])
        if end < self._last:
            raise OurMistake(
                f"the log {self._stream} ends at {end}, but {self._last} had been read: it was"
                " replaced or restored from an older copy; follow the restore procedure"
            )

    async def _new_feed(self) -> _Feed:
        inbox = self._connection.new_inbox()
        # The name says whose it is to who looks at the server, and is never used twice.
        name = f"{self._connection.settings.name}-{inbox.rpartition('.')[2]}"
        feed = _Feed(self, name)
        feed.subscription = await self._connection.take(inbox, feed.arrived)
        self._feed = feed  # from here on _drop_feed cleans it up
        config: dict[str, object] = {
            "name": feed.name,
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._last + 1,
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT_S * NS_PER_S),
            "inactive_threshold": ABANDONED_S * NS_PER_S,
            "mem_storage": True,
            "num_replicas": 1,
        }
        if self._subjects:
            config["filter_subjects"] = self._subjects
        await self._ask(
            f"$JS.API.CONSUMER.CREATE.{self._stream}.{feed.name}",
            {"stream_name": self._stream, "config": config, "action": "create"},
        )
        return feed

    async def _ask(self, subject: str, question: dict[str, object]) -> dict[str, object]:
        payload = json.dumps(question).encode() if question else b""
        reply = await self._connection.request(subject, payload, self._timeout_s)
        answer = json.loads(reply.data)
        assert isinstance(answer, dict)  # noqa: S101  # the server's own format
        error = answer.get("error")
        if error is None:
            return answer
        text = f"{error.get('description')} (error {error.get('err_code')})"
        if self._opened or int(error.get("code", 0)) >= 500:
            raise NoAnswer(text)  # a server that is still starting: try again
        raise OurMistake(f"the log {self._stream} cannot be read: {text}")

    async def _drop_feed(self) -> None:
        feed, self._feed = self._feed, None
        if feed is None:
            return
        feed.lost = True
        if feed.subscription is not None:
            try:
                await feed.subscription.unsubscribe()
            except Exception:  # noqa: BLE001, S110  # gone with its connection: what we want
                pass
        await self._send_quietly(f"$JS.API.CONSUMER.DELETE.{self._stream}.{feed.name}")

    async def _send_quietly(self, subject: str) -> None:
        try:
            await self._connection.publish(subject, b"")
        except NotSent:
            pass  # the feed will be late and be replaced
