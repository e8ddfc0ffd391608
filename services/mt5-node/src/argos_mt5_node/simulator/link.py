"""How the facade reaches the terminals: over a socket, or inside the process.

The socket is the named pipe of the real module: one blocking connection per client, no timeout
on any call unless one is asked for (the control client does).
"""

from __future__ import annotations

import ctypes
import select
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from argos_mt5_node.simulator.constants import RES_TEXT
from argos_mt5_node.simulator.protocol import HEADER, FrameError, body_length, pack, unpack

if TYPE_CHECKING:  # a client of the socket need not hold the broker
    from argos_mt5_node.simulator.desk import TerminalDesk

Outcome = tuple[int, str, Any]  # code, detail, JSON value
RECEIVED_AT_ONCE = 64 * 1024


class LinkUnavailableError(OSError):
    """No server answers at the address; the message is initialize's detail."""


class LinkSendError(OSError):
    """The request could not be written; nothing was sent."""


class LinkReceiveError(OSError):
    """The connection broke while the answer was awaited: the outcome is unknown."""


class LinkEchoError(OSError):
    """The answer belongs to another call."""


class CallNeverReturns(RuntimeError):
    """In-process only: the real call would block forever."""


class Link(Protocol):
    """One client's connection to the simulated terminals."""

    def open(self) -> None:
        """Connect if not connected. Raises LinkUnavailableError."""

    def close(self) -> None:
        """Drop the connection."""

    def is_broken(self) -> bool:
        """Whether the peer is known to be gone."""

    def call(self, path: str, operation: str, args: Mapping[str, Any]) -> Outcome:
        """One operation of the terminal at ``path``; see ``desk``. Raises Link*Error."""


class InProcessLink:
    """Calls the desk directly in virtual time. A call that never returns raises."""

    def __init__(self, desk: TerminalDesk, now_ns: Callable[[], int]) -> None:
        """``now_ns`` is the virtual clock."""
        self._desk = desk
        self._now_ns = now_ns

    def open(self) -> None:
        """Always connected."""

    def close(self) -> None:
        """Nothing to close."""

    def is_broken(self) -> bool:
        """Never."""
        return False

    def call(self, path: str, operation: str, args: Mapping[str, Any]) -> Outcome:
        """Answer at once, whatever the delay would be."""
        answer = self._desk.call(path, operation, args, self._now_ns())
        if answer.after_ms is None:
            raise CallNeverReturns(operation)
        return answer.code, "", answer.value


class SocketLink:
    """A blocking connection to the server process.

    ``hold_gil`` waits for answers without releasing the interpreter lock, as the real module
    does: no other thread of the process runs until the answer is there.
    """

    def __init__(
        self,
        address: Path | tuple[str, int],
        *,
        timeout_s: float | None = None,
        hold_gil: bool = False,
    ) -> None:
        """``address`` is a port file, read at every connect, or (host, port)."""
        self._address = address
        self._timeout_s = timeout_s
        self._hold_gil = hold_gil
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._next_id = 0

    def open(self) -> None:
        """Connect. Raises LinkUnavailableError."""
        if self._socket is not None:
            return
        address = self._resolve()
        try:
            connected = socket.create_connection(address, timeout=5.0)
        except OSError:
            message = "Pipe server didn't answer in 60 sec"
            raise LinkUnavailableError(message) from None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(self._timeout_s)
        self._socket, self._received = connected, bytearray()

    def _resolve(self) -> tuple[str, int]:
        if isinstance(self._address, tuple):
            return self._address
        try:
            return "127.0.0.1", int(self._address.read_text("ascii"))
        except (OSError, ValueError):
            message = "MetaTrader 5 x64 not found"
            raise LinkUnavailableError(message) from None

    def close(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def is_broken(self) -> bool:
        """Whether the server has closed an open connection."""
        if self._socket is None:
            return False
        readable, _, _ = select.select([self._socket], [], [], 0)
        if not readable:
            return False
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def call(self, path: str, operation: str, args: Mapping[str, Any]) -> Outcome:
        """Send one operation and block until its answer. Raises Link*Error."""
        if self._socket is None:
            message = "not connected"
            raise LinkSendError(message)
        self._next_id += 1
        frame = pack({"id": self._next_id, "op": operation, "path": path, "args": dict(args)})
        try:
            self._socket.sendall(frame)
        except OSError as error:
            raise LinkSendError(str(error)) from error
        try:
            answer = unpack(self._read_frame())
        except (OSError, FrameError) as error:
            raise LinkReceiveError(str(error)) from error
        if answer["id"] != self._next_id:
            raise LinkEchoError(operation)
        code = int(answer["code"])
        return code, answer.get("text") or RES_TEXT.get(code, ""), answer.get("value")

    def _read_frame(self) -> bytes:
        """The body of the next frame; what was received beyond it is kept for the next."""
        length: int | None = None
        while True:
            if length is None and len(self._received) >= HEADER.size:
                length = body_length(bytes(self._received[: HEADER.size]))
            if length is not None and len(self._received) >= HEADER.size + length:
                body = bytes(self._received[HEADER.size : HEADER.size + length])
                del self._received[: HEADER.size + length]
                return body
            self._receive()

    def _receive(self) -> None:
        assert self._socket is not None  # noqa: S101 - call() checked it
        if self._hold_gil:
            _wait_holding_gil(self._socket.fileno())
        part = self._socket.recv(RECEIVED_AT_ONCE)
        if not part:
            message = "the terminal closed the pipe"
            raise LinkReceiveError(message)
        self._received += part


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


def _wait_holding_gil(fd: int) -> None:
    """Block in poll(2) until readable; PyDLL does not release the interpreter lock."""
    entry = _PollFd(fd, select.POLLIN, 0)
    ctypes.PyDLL(None).poll(ctypes.byref(entry), 1, -1)


__all__ = [
    "CallNeverReturns",
    "InProcessLink",
    "Link",
    "LinkEchoError",
    "LinkReceiveError",
    "LinkSendError",
    "LinkUnavailableError",
    "Outcome",
    "SocketLink",
]
