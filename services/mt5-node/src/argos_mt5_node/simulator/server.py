"""The server process: one broker, all its terminals, behind a loopback socket.

Single-threaded asyncio. Every operation is executed and committed when its frame is complete;
its answer is then written at once, later, or never, without holding up anybody else.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argos_common.runtime.clock import Clock

from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.constants import RES_INVALID_PARAMS, RES_OK
from argos_mt5_node.simulator.control import ControlDesk
from argos_mt5_node.simulator.desk import Answer, TerminalDesk
from argos_mt5_node.simulator.protocol import HEADER, FrameError, body_length, pack, unpack
from argos_mt5_node.simulator.store import BrokerStore

PORT_FILE = "port"
TICK_S = 0.05


@dataclass(eq=False, slots=True)
class _Client:
    writer: asyncio.StreamWriter
    path: str = ""


class SimulatorServer:
    """Hosts a broker until it is stopped."""

    def __init__(
        self,
        broker: SimulatedBroker,
        store: BrokerStore,
        clock: Clock,
        state_dir: Path,
        parent_pid: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """The broker must be restored already. ``parent_pid``: stop when that process is gone."""
        self._host = host
        self._broker = broker
        self._store = store
        self._clock = clock
        self._port_file = state_dir / PORT_FILE
        self._parent_pid = parent_pid
        self._started_under = os.getppid()
        self._desk = TerminalDesk(broker)
        self._control = ControlDesk(broker)
        self._clients: dict[_Client, None] = {}
        self._stop = asyncio.Event()
        self._unanswered = 0

    async def run(self, port: int) -> None:
        """Listen (port 0: any), write the port file, serve until stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows: the process is simply terminated
                loop.add_signal_handler(number, self._stop.set)
        server = await asyncio.start_server(self._serve, self._host, port)
        bound = server.sockets[0].getsockname()[1]
        self._publish(bound)
        print(f"simulated MetaTrader 5 broker on {self._host}:{bound}", flush=True)  # noqa: T201 - the starter reads it
        ticker = asyncio.create_task(self._tick())
        ticker.add_done_callback(lambda _task: self._stop.set())
        try:
            await self._stop.wait()
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            server.close()
            for client in list(self._clients):
                client.writer.transport.abort()
            await server.wait_closed()
            self._store.save(self._broker, force=True)
            with suppress(FileNotFoundError):
                self._port_file.unlink()

    def _publish(self, port: int) -> None:
        draft = self._port_file.with_suffix(".new")
        draft.write_text(str(port), "ascii")
        draft.replace(self._port_file)

    async def _tick(self) -> None:
        while True:
            self._broker.advance(self._clock.now_ns())
            self._store.save(self._broker)
            if self._is_orphaned():
                self._stop.set()
            await asyncio.sleep(TICK_S)

    def _is_orphaned(self) -> bool:
        pid = self._parent_pid
        if pid is None:
            return False
        if self._started_under == pid and os.getppid() != pid:
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(writer)
        self._clients[client] = None
        try:
            while True:
                length = body_length(await reader.readexactly(HEADER.size))
                self._handle(client, unpack(await reader.readexactly(length)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, FrameError, KeyError):
            pass  # the client is gone, or is not one of ours
        finally:
            self._clients.pop(client, None)
            writer.close()

    def _handle(self, client: _Client, message: dict[str, Any]) -> None:  # JSON values
        operation, path, args = message["op"], message["path"], message["args"]
        now_ns = self._clock.now_ns()
        text = ""
        if operation == "control.kill_terminal":
            answer = self._kill_terminal(args)
        elif operation.startswith("control."):
            answer, text = self._control.call(operation, args, now_ns)
            if operation == "control.status":
                answer.value["unanswered"] = self._unanswered
        else:
            client.path = path
            try:
                answer = self._desk.call(path, operation, args, now_ns)
            except (KeyError, TypeError, ValueError, ArithmeticError):
                answer = Answer(code=RES_INVALID_PARAMS)
        self._store.save(self._broker, force=operation.startswith("control."))
        if answer.after_ms is None:
            self._unanswered += 1
            return
        frame = pack(
            {"id": message["id"], "code": answer.code, "text": text, "value": answer.value}
        )
        if answer.after_ms:
            loop = asyncio.get_running_loop()
            loop.call_later(answer.after_ms / 1000, self._write, client, frame)
        else:
            self._write(client, frame)

    def _kill_terminal(self, args: dict[str, Any]) -> Answer:  # JSON values
        for other in list(self._clients):
            if other.path == args["path"] and other.path:
                other.writer.transport.abort()
        return Answer(code=RES_OK, value=True)

    @staticmethod
    def _write(client: _Client, frame: bytes) -> None:
        if not client.writer.is_closing():
            client.writer.write(frame)
