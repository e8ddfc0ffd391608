"""What a process tells its surroundings over HTTP: /metrics, /healthz, /readyz.

Served by a thread of its own, so that it answers even while the event loop is stuck; a loop that
has not moved for `STUCK_S` is reported as not healthy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.exposition import choose_encoder

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.metrics import Metrics

STUCK_S = 10


@dataclass(slots=True)
class Pulse:
    """What a service says of itself in its heartbeat. The service sets it, the skeleton sends it.

    `state`: "starting", "running", "waiting", "stopping", or the service's own word. `sequence`:
    the last log entry folded. `ready`: whether it can do its work now.
    """

    state: str = "starting"
    sequence: int = 0
    detail: str = ""
    account: str = ""
    ready: bool = False
    away: bool = False
    """Whether NATS is away: nothing is ready then."""
    moved_ns: int = 0
    """When the event loop last moved, on the monotonic clock."""


class HealthServer:
    """Serves one process's metrics and health until `close`."""

    def __init__(
        self, metrics: Metrics, pulse: Pulse, clock: Clock, port: int = 0, host: str = ""
    ) -> None:
        """On loopback unless `host` names another address of this machine."""
        handler = _handler(metrics, pulse, clock)
        try:
            self._server = _Server((host or "127.0.0.1", port), handler)
        except OSError as error:
            raise OurMistake(
                f"port {port} for /metrics is taken ({error.strerror}): free it, or choose another"
                " with ARGOS_METRICS_PORT"
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(metrics: Metrics, pulse: Pulse, clock: Clock) -> type[BaseHTTPRequestHandler]:
    def healthy() -> bool:
        return clock.monotonic_ns() - pulse.moved_ns < STUCK_S * NS_PER_S

    answers: dict[str, Callable[[], tuple[int, bytes]]] = {
        "/healthz": lambda: (200, b"ok\n") if healthy() else (503, b"the event loop is stuck\n"),
        "/readyz": lambda: (
            (200, b"ready\n")
            if pulse.ready and not pulse.away and healthy()
            else (
                503,
                b"NATS is away\n" if pulse.away else f"{pulse.state} {pulse.detail}\n".encode(),
            )
        ),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:  # the standard library's name
            path, kind = self.path.partition("?")[0], "text/plain; charset=utf-8"
            answer = answers.get(path)
            status, body = answer() if answer else (404, b"there is /metrics, /healthz, /readyz\n")
            if path == "/metrics":  # OpenMetrics for who asks for it: only that has exemplars
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                status, body = 200, encode(metrics.registry)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            pass

    return Handler
