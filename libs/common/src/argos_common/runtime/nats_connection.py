"""One connection to NATS, with the settings that make its failures plain.

- Nothing is kept for later while disconnected: an append thought dead must not arrive minutes
  after. Bytes that a broken connection left in the client's buffer are thrown away, too.
- It reconnects for ever, notices a frozen server within six seconds, and has an inbox of its own,
  so that one service cannot read another's replies.
- Some errors close the client for good whatever it was told, and a key that is no longer valid
  will never be again. Then `closed` is called, and it must end the process: a service without a log
  is not a service.
- A missing permission shows as silence to whoever asked. It is reported through `violation`, and
  `assert_permitted` raises at start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

import nats.errors
import nkeys
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from argos_common.domain.errors import OurMistake
from argos_common.runtime.nats_client import LeanClient, Take
from argos_common.runtime.tls import TlsFiles, client_context

T = TypeVar("T")

WAITING_EVERY_S = 3.0
CLOSE_S = 2.0
_LOOK_S = 0.1


class NotSent(Exception):
    """Certainly not sent: there is no connection at the moment."""


class NobodyThere(Exception):
    """Certainly received by nobody: no one listens on the subject."""


class NoAnswer(Exception):
    """Sent, perhaps received, not answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """Where NATS is and who we are.

    `url` may name several servers, separated by commas. `name` is the service's, also of its
    inbox: `_INBOX_<name>.>` is what it must be allowed to subscribe to. Of user and key at most
    one is given; a key is an nkey seed. `tls` given: the connection is encrypted, the server's
    certificate checked.
    """

    url: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    nkey_seed: str = field(default="", repr=False)
    tls: TlsFiles = field(default_factory=TlsFiles)

    @property
    def inbox_prefix(self) -> str:
        return f"_INBOX_{self.name}"


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsEvents:
    """Whom to tell. Each is called from the event loop and must not block."""

    waiting: Callable[[str], None] = _ignore
    """A sentence every few seconds while the first connection is not there."""
    away: Callable[[], None] = _ignore
    back: Callable[[], None] = _ignore
    closed: Callable[[], None] = _ignore
    """The client gave up for good, unasked: end the process."""
    violation: Callable[[str], None] = _ignore
    """A permission is missing; the server's sentence."""


class NatsConnection:
    """What the log and the bus share. Made by `connect`."""

    def __init__(self, settings: NatsSettings, events: NatsEvents) -> None:
        self.settings = settings
        self.violation = ""
        self._events = events
        self._client = LeanClient()
        self._last_error = ""
        self._refused = ""
        self._closing = False
        self._open = False
        self._on_back: list[Callable[[], None]] = []

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    def new_inbox(self) -> str:
        return self._client.new_inbox()

    def on_back(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call after every reconnect; the returned function ends that."""
        self._on_back.append(call)
        return lambda: self._on_back.remove(call) if call in self._on_back else None

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None
    ) -> None:
        """Send, without an answer. Raises NotSent, and OurMistake for what no server takes."""
        self._must_be_connected()
        try:
            await self._client.publish(subject, payload, "", headers)
        except _OURS as error:
            raise OurMistake(f"a message to {subject} cannot be sent: {error}") from error
        except nats.errors.Error as error:
            raise NotSent(str(error)) from error

    async def request(
        self, subject: str, payload: bytes, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Ask and wait. Raises NotSent, NobodyThere or NoAnswer."""
        self._must_be_connected()
        try:
            return await self._client.ask(subject, payload, timeout_s, headers)
        except nats.errors.NoRespondersError as error:
            raise NobodyThere(f"nobody serves {subject}") from error
        except nats.errors.TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from error
        except _OURS as error:
            raise OurMistake(f"a message to {subject} cannot be sent: {error}") from error
        except nats.errors.Error as error:
            # Raised before anything is written: no connection, or closing.
            raise NotSent(str(error)) from error

    async def subscribe(
        self, subject: str, call: Callable[[Msg], Awaitable[None]], queue: str = ""
    ) -> Subscription:
        """Call for each message, one at a time. Survives reconnects. Raises NotSent when closed."""
        try:
            return await self._client.subscribe(subject, queue, call)
        except nats.errors.Error as error:
            raise NotSent(str(error)) from error

    async def take(self, subject: str, take: Take) -> Subscription:
        """Call for each message in the step in which it was read: `take` must not wait or raise."""
        try:
            return await self._client.take(subject, take)
        except nats.errors.Error as error:
            raise NotSent(str(error)) from error

    async def flush(self, timeout_s: float = 2.0) -> None:
        """Wait until the server has read all sent so far. Raises NotSent or NoAnswer."""
        self._must_be_connected()
        try:
            await _heeding_cancel(self._client.flush(timeout_s))  # type: ignore[arg-type]  # int there, float works
        except nats.errors.TimeoutError as error:
            raise NoAnswer("the server does not answer") from error
        except nats.errors.Error as error:
            raise NotSent(str(error)) from error

    async def assert_permitted(self) -> None:
        """Raise OurMistake if the server refused any subject so far."""
        await self.flush()
        if self.violation:
            raise OurMistake(
                f"NATS refuses {self.settings.name} a subject it needs: {self.violation};"
                " compare the user's permissions with ops/nats/nats.conf"
            )

    async def close(self) -> None:
        """Close on purpose: `closed` is not called. Takes at most `CLOSE_S`."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            # Over TLS the client waits for the other side's farewell, which may never come.
            async with asyncio.timeout(CLOSE_S):
                await self._client.close()

    def _must_be_connected(self) -> None:
        # Checked here, not left to the library, which would keep a record of the failed request.
        if not self._client.is_connected:
            raise NotSent("NATS is away")

    async def _connect(self, timeout_s: float | None) -> None:
        connecting = asyncio.ensure_future(self._client_connect())
        waited_s = 0.0
        try:
            while True:
                done, _ = await asyncio.wait({connecting}, timeout=_LOOK_S)
                if done:
                    connecting.result()
                    self._open = True
                    return
                waited_s = self._still_waiting(waited_s, timeout_s)
        except BaseException:
            while not connecting.done():
                # More than once: see `_heeding_cancel`. It would try to connect for ever.
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=_LOOK_S)
            await asyncio.gather(connecting, return_exceptions=True)
            await self.close()
            raise

    def _still_waiting(self, before_s: float, timeout_s: float | None) -> float:
        """The new waiting time. Raises OurMistake when waiting is over or pointless."""
        now_s = before_s + _LOOK_S
        where = self.settings.url
        if self._refused:
            raise OurMistake(
                f"NATS at {where} refuses user {self.settings.user or self.settings.name!r}"
                f" ({self._refused}): check the credentials"
            )
        if timeout_s is not None and now_s >= timeout_s:
            raise OurMistake(
                f"NATS at {where} did not answer within {timeout_s:g} s ({self._last_error}):"
                " start it, or correct the address"
            )
        if int(before_s / WAITING_EVERY_S) != int(now_s / WAITING_EVERY_S):
            self._events.waiting(f"waiting for NATS at {where} ({self._last_error})")
        return now_s

    async def _client_connect(self) -> None:
        settings = self.settings
        await self._client.connect(
            servers=settings.url.split(","),
            name=settings.name,
            user=settings.user or None,
            password=settings.password or None,
            nkeys_seed_str=settings.nkey_seed or None,
            tls=client_context(settings.tls) if settings.tls else None,
            inbox_prefix=settings.inbox_prefix,
            pending_size=0,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]  # int there, float works
            connect_timeout=3,
            ping_interval=2,
            max_outstanding_pings=2,
            error_cb=self._errored,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            closed_cb=self._closed,
        )
        await self._client.open_answers()

    async def _errored(self, error: Exception) -> None:
        text = str(error).removeprefix("nats: ").strip("'") or type(error).__name__
        self._last_error = text
        lower = text.lower()
        if "permissions violation" in lower:
            self.violation = self.violation or text
            self._events.violation(text)
        elif "authorization" in lower or ("authentication" in lower and "timeout" not in lower):
            self._refused = text
            if self._open and not self._closing:
                # Our key was retired. The client would try it for ever; a new process reads the
                # new one.
                self._closing = True
                self._events.closed()

    async def _disconnected(self) -> None:
        # What a dead connection left unsent would be sent on reconnect. The writer has been or
        # will be told that the outcome is unknown; better that it is: not stored.
        pending = self._client._pending  # noqa: SLF001  # no public way to empty it
        pending.clear()
        self._client._pending_data_size = 0  # noqa: SLF001  # goes with it
        if self._open and not self._closing:
            self._events.away()

    async def _reconnected(self) -> None:
        for call in list(self._on_back):
            call()
        self._events.back()

    async def _closed(self) -> None:
        if self._open and not self._closing:
            self._events.closed()


async def _heeding_cancel(work: Coroutine[object, object, T]) -> T:
    """What `work` returns, unless we were cancelled meanwhile.

    The library waits with `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that
    comes in the same moment as the answer; the caller would then run on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    result = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


_OURS = (
    nats.errors.MaxPayloadError,
    nats.errors.BadSubjectError,
    nats.errors.BadHeaderError,
)


async def connect(
    settings: NatsSettings, events: NatsEvents | None = None, timeout_s: float | None = None
) -> NatsConnection:
    """Connect, waiting for a server that is not up yet: `timeout_s` seconds, None for ever.

    Raises:
        OurMistake: nobody there in time, or the server refuses who we are.
    """
    if settings.user and settings.nkey_seed:
        raise OurMistake("give either a NATS user with password or an nkey seed file, not both")
    if settings.nkey_seed:
        _check_seed(settings.nkey_seed)
    if settings.tls:
        client_context(settings.tls)  # a file that cannot be used is named here, before waiting
    connection = NatsConnection(settings, events or NatsEvents())
    await connection._connect(timeout_s)  # noqa: SLF001  # the only caller, same module
    return connection


def _check_seed(seed: str) -> None:
    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except (nkeys.NkeysError, ValueError):
        raise OurMistake(
            "the NATS key is no nkey seed: its file must hold one line that begins with SU"
        ) from None
