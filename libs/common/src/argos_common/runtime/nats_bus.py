"""The bus on core NATS: at most once, nothing kept, nothing repeated."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from nats.aio.msg import Msg

from argos_common.runtime.bus import Handler, NoReply
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NoAnswer,
    NobodyThere,
    NotSent,
)

HandlerFailed = Callable[[str, Exception], None]
"""(subject, error): a handler raised; the asker gets no reply."""


def _log_failure(subject: str, error: Exception) -> None:
    logging.getLogger(__name__).error("the handler of %s failed", subject, exc_info=error)


class NatsBus:
    """Implements `Bus`."""

    def __init__(
        self, connection: NatsConnection, handler_failed: HandlerFailed = _log_failure
    ) -> None:
        self._connection = connection
        self._handler_failed = handler_failed

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send to whoever listens now. Dropped silently while disconnected."""
        try:
            await self._connection.publish(subject, payload)
        except NotSent:
            pass  # the contract: it would be old news by the time it could be sent

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        """Call `handler` for each message, one at a time per subscription, in order of arrival."""

        async def arrived(message: Msg) -> None:
            try:
                reply = await handler(message.subject, message.data)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next message goes on
                self._handler_failed(message.subject, error)
                return
            if reply is not None and message.reply:
                await self.publish(message.reply, reply)

        await self._connection.subscribe(subject, arrived, queue)
        # Known to the server when this returns, so that whoever asks next finds somebody. While the
        # connection is away there is nothing to wait for: it is told when it is back.
        with contextlib.suppress(NotSent, NoAnswer):
            await self._connection.flush()

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        """One question, one answer. Raises NoReply."""
        try:
            reply = await self._connection.request(subject, payload, timeout_s)
        except (NotSent, NobodyThere, NoAnswer) as error:
            raise NoReply(str(error)) from error
        return reply.data
