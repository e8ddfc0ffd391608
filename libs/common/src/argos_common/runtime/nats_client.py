"""The library's client with the detours taken out that every message of the order path would pay.

- Headers of stored entries are not parsed: they are those of the append, and mean nothing to a
  reader. The server's own (heartbeats, nobody there) are, and those of an entry that keeps its time
  from an older generation of the log.
- `take` hands a message over in the step in which it was read, without a queue and a task between.
- `ask` waits for an answer with one future and one timer.
- What is sent is written at once, without waking a task for it, as long as the connection takes it;
  beyond `WRITTEN_MAX` it waits in the client's buffer, where a lost connection leaves it unsent.
- An attempt to connect ends the socket of the one before it.

All of this leans on names inside the library. Where one should be gone, or no longer be called, the
library's own way is taken, which is slower and means the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from argos_common.runtime.nats_answers import APPENDED_HEADER

Take = Callable[[Msg], None]
WRITTEN_MAX = 32 * 1024

_STATUS_LINE = b"NATS/1.0 "  # a header without a status has its line end here
_KEPT_TIME = APPENDED_HEADER.encode()
_NOBODY_THERE = "503"


class LeanClient(Client):
    """One connection; see the module's text. Call `open_answers` before `ask`."""

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, Take] = {}
        self._answers: dict[str, asyncio.Future[Msg]] = {}
        self._answers_at = ""
        self._asked = 0

    async def take(self, subject: str, take: Take) -> Subscription:
        """Call `take` for each message, at once and in order. It must neither wait nor raise."""

        async def later(message: Msg) -> None:
            take(message)

        subscription = await self.subscribe(subject, cb=later)
        number = getattr(subscription, "_id", None)
        if number is not None:
            self._takers[number] = take
        return subscription

    async def open_answers(self) -> None:
        """Subscribe to the answers of this connection's questions."""
        inbox = self.new_inbox()
        await self.take(f"{inbox}.*", self._answered)
        self._answers_at = f"{inbox}."

    async def ask(
        self, subject: str, payload: bytes, timeout_s: float, headers: dict[str, str] | None
    ) -> Msg:
        """One question, one answer. Raises NoRespondersError, TimeoutError of the library."""
        loop = asyncio.get_running_loop()
        self._asked += 1
        inbox = f"{self._answers_at}{self._asked}"
        answer: asyncio.Future[Msg] = loop.create_future()
        self._answers[inbox] = answer
        timer = loop.call_later(timeout_s, _expire, answer)
        try:
            await self.publish(subject, payload, inbox, headers)
            message = await answer
        finally:
            timer.cancel()
            self._answers.pop(inbox, None)
        if message.headers and message.headers.get("Status") == _NOBODY_THERE:
            raise nats.errors.NoRespondersError
        return message

    def _answered(self, message: Msg) -> None:
        answer = self._answers.get(message.subject)
        if answer is not None and not answer.done():
            answer.set_result(message)

    # In place of the library's own.

    async def _connect_to_server(self, server: Any) -> None:
        """The library forgets the socket of an attempt that the server did not welcome."""
        if self._transport is not None:
            cast("Any", self._transport).close()
        await super()._connect_to_server(server)

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        if not headers or not (headers.startswith(_STATUS_LINE) or _KEPT_TIME in headers):
            return None
        found: dict[str, str] | None = await super()._process_headers(headers)
        return found

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        take = self._takers.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        try:
            take(
                Msg(
                    _client=self,
                    subject=subject.decode(),
                    reply=reply.decode(),
                    data=data,
                    headers=await self._process_headers(headers),
                )
            )
        except Exception as error:  # noqa: BLE001  # else the library would stop reading
            await self._error_cb(error)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._takers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _flush_pending(self, force_flush: bool = False) -> Any:  # noqa: FBT001, FBT002  # the library's signature
        transport: Any = self._transport
        if not force_flush and self.is_connected and self._pending and _has_room(transport):
            try:
                transport.writelines(self._pending)
            except (RuntimeError, OSError):
                pass  # it is closing: the library's way notices
            else:
                self._pending = []
                self._pending_data_size = 0
                return None
        return await super()._flush_pending(force_flush)


def _has_room(transport: Any) -> bool:  # the library's
    """Whether what is written now leaves soon. A transport that cannot say has none."""
    writer = getattr(transport, "_io_writer", None)
    return writer is not None and writer.transport.get_write_buffer_size() < WRITTEN_MAX


def _expire(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())
