"""The facade's session: connection, login, error slot, and one guarded way to call the terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator import parsing
from argos_mt5_node.simulator.link import (
    Link,
    LinkEchoError,
    LinkReceiveError,
    LinkSendError,
    LinkUnavailableError,
    SocketLink,
)

DEFAULT_PATH = "C:\\Program Files\\MetaTrader 5\\terminal64.exe"
_POLL_S = 0.1
# Arguments and results are as untyped as those of the C module this stands in for.


class _Refused(Exception):
    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail or c.RES_TEXT.get(code, "")


class TerminalSession:
    """Connection and error slot of one client process; see ``terminal.SimulatedTerminal``."""

    def __init__(
        self,
        link: Link | Path | tuple[str, int],
        *,
        idle_death: Literal["close", "repeat"] = "close",
        hold_gil: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``link``: a port file, (host, port), or an ``InProcessLink``.

        ``idle_death``: what calls give after the terminal died between two calls, -10004
        (``close``) or -10001 again and again (``repeat``). ``hold_gil``: wait as the real module
        does, with every other thread of the process stopped.
        """
        if isinstance(link, Path | tuple):
            link = SocketLink(link, hold_gil=hold_gil)
        self._link = link
        self._idle_death = idle_death
        self._sleep = sleep
        self._path = DEFAULT_PATH
        self._is_connected = False
        self._error = (0, "")
        self._lock = threading.RLock()  # the real module's calls serialise through the GIL

    # Session

    def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Connect to a terminal and log in if asked; the old connection is dropped first."""

        def connect() -> bool:
            self._drop()
            return self._initialize(args, kwargs)

        return bool(self._guard(connect, failed=False))

    def _initialize(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        given = parsing.login_arguments(
            args, kwargs, ("path", "login", "password", "server", "timeout")
        )
        self._path = given.get("path", DEFAULT_PATH)
        try:
            self._link.open()
        except LinkUnavailableError as error:
            detail = f"{c.RES_TEXT[c.RES_IPC_INIT]}, {error}"
            raise _Refused(c.RES_IPC_INIT, detail) from None
        self._is_connected = True
        try:
            self._await_ready(given)
            self._call("initialize", _credentials(given))
        except _Refused:
            self._drop()
            raise
        return True

    def login(self, *args: Any, **kwargs: Any) -> bool:
        """Switch the terminal to another account, for all its clients."""
        return bool(self._guard(lambda: self._login(args, kwargs), failed=False))

    def _login(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        given = parsing.login_arguments(args, kwargs, ("login", "password", "server", "timeout"))
        if not given.get("login"):
            raise parsing.invalid("login")
        self._call("login", _credentials(given))
        self._await_ready(given)
        return True

    def _await_ready(self, given: Mapping[str, Any]) -> None:
        timeout_ms = int(given.get("timeout", 60_000))
        for _ in range(max(1, timeout_ms // 100)):
            if self._call("ready", _credentials(given)):
                return
            self._sleep(_POLL_S)
        raise _Refused(c.RES_IPC_TIMEOUT)

    def shutdown(self) -> bool:
        """Close the connection; always True."""
        self._guard(self._drop)
        return True

    def _drop(self) -> None:
        self._link.close()
        self._is_connected = False

    def last_error(self) -> tuple[int, str]:
        """(code, text) of the last call; (0, '') before any; reading does not reset it."""
        return self._error

    def version(self) -> tuple[int, int, str] | None:
        """(500, build, release date)."""
        found = self._guard(lambda: self._call("ready"))
        return None if found is None else (500, c.TERMINAL_BUILD, "1 Jan 2026")

    # Plumbing

    def _guard(self, work: Callable[[], Any], *, failed: Any = None) -> Any:
        """Run one call with the module's error slot: reset first, then filled on failure."""
        with self._lock:
            self._error = (c.RES_OK, c.RES_TEXT[c.RES_OK])
            try:
                return work()
            except parsing.ParseError as error:
                self._error = (c.RES_INVALID_PARAMS, str(error))
            except _Refused as refused:
                self._error = (refused.code, refused.detail)
            return failed

    def _call(self, operation: str, args: Mapping[str, Any] | None = None) -> Any:
        if not self._is_connected:
            raise _Refused(c.RES_IPC_CONNECT)
        if self._link.is_broken():
            if self._idle_death == "repeat":
                raise _Refused(c.RES_IPC_SEND)
            self._drop()
            raise _Refused(c.RES_IPC_CONNECT)
        try:
            code, detail, value = self._link.call(self._path, operation, args or {})
        except LinkSendError:
            raise _Refused(c.RES_IPC_SEND) from None
        except LinkReceiveError:
            self._drop()
            raise _Refused(c.RES_IPC_RECEIVE) from None
        except LinkEchoError:
            raise _Refused(c.RES_IPC_FAIL) from None
        if code != c.RES_OK:
            raise _Refused(code, detail)
        return value


def _credentials(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in ("login", "password", "server") if key in given}
