"""`python -m argos_mt5_node.worker`: the one process that holds the terminal's module.

It talks to its node over stdin and stdout, in frames, does one thing at a time in one thread, and
calls the module directly: the real one holds the interpreter's lock while it waits, so nothing else
could run here anyway. It ends when its node does, or when it is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

from argos_common.domain.errors import OurMistake
from argos_common.lasthop.lock import FileLock
from argos_common.runtime.clock import SystemClock

from argos_mt5_node.adapters.inline_terminal import GONE, perform
from argos_mt5_node.core import frames
from argos_mt5_node.core.calls import Json, answer_to_json, call_from_json
from argos_mt5_node.ports import TerminalModule

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until the node closes the pipe. 1 if the terminal could not be reached."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which ends us in order
    source, sink = sys.stdin.buffer, _take_stdout()
    first = _read(source)
    if first is None:
        return 0
    plan = first["plan"]
    if not _tied_to(plan["node_pid"]):
        return 0
    lock_file = Path(plan["lock"])
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file, "another worker holds this terminal")
    except (OSError, OurMistake) as error:
        _write(sink, {"error": f"{error}"})
        return 1
    lock_file.with_suffix(".pid").write_text(str(os.getpid()), "ascii")
    try:
        module, error_text = _connected(plan)
        if module is None:
            _write(sink, {"error": error_text, "locked": True})
            return 1
        _write(sink, {"locked": True})
        _serve(module, source, sink)
        module.shutdown()
    finally:
        lock.release()
    return 0


def _tied_to(node_pid: int) -> bool:
    """Dies with the node from now on, where the system can do that; False if it is gone already.

    Elsewhere a worker notices between two calls, and one that hangs is ended by the next node.
    """
    if sys.platform != "linux":
        return True
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == node_pid


def _serve(module: TerminalModule, source: BinaryIO, sink: BinaryIO) -> None:
    clock = SystemClock()
    while (message := _read(source)) is not None:
        calls = [call_from_json(call) for call in message["calls"]]
        begun_ns = clock.now_ns()
        answers = perform(module, calls)
        gone = next((f"{each.code}: {each.text}" for each in answers if each.code in GONE), "")
        reply: Json = {"answers": [answer_to_json(each) for each in answers], "gone": gone}
        if calls[len(answers) - 1].function == "order_send":  # what the node's trace tells of it
            row = answers[-1].row
            reply["sent"] = [begun_ns, row["retcode"] if row else answers[-1].code]
        _write(sink, reply)
        if gone:
            return


def _connected(plan: Json) -> tuple[TerminalModule | None, str]:
    """The module, logged in; else why not."""
    try:
        module = _module(plan)
    except ImportError:
        return None, "the MetaTrader5 package is not installed; it exists for Windows only"
    options: dict[str, Any] = {"login": plan["login"], "timeout": plan["timeout_ms"]}
    options |= {name: plan[name] for name in ("password", "server") if plan[name]}
    if module.initialize(plan["path"], **options):
        return module, ""
    code, text = module.last_error()
    return None, f"the terminal cannot be reached ({code}: {text})"


def _module(plan: Json) -> TerminalModule:
    if plan["module"] == "real":
        import MetaTrader5

        return cast(TerminalModule, MetaTrader5)
    from argos_mt5_node.simulator.terminal import SimulatedTerminal

    host, _, port = plan["address"].rpartition(":")
    is_address = port.isdecimal() and host and os.sep not in host
    return SimulatedTerminal((host, int(port)) if is_address else Path(plan["address"]))


def _take_stdout() -> BinaryIO:
    """Our own stdout for frames; whatever else is printed goes to stderr."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


def _read(source: BinaryIO) -> Json | None:
    """The next message; None once the node is gone."""
    header = source.read(frames.HEADER.size)
    if len(header) < frames.HEADER.size:
        return None
    length = frames.body_length(header)
    body = source.read(length)
    return frames.unpack(body) if len(body) == length else None


def _write(sink: BinaryIO, message: Json) -> None:
    sink.write(frames.pack(message))
    sink.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the node is gone
        sys.exit(0)
