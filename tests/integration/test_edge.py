"""The edge as configured: Caddy itself in front of a gateway that answers, hangs, or is away."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from argos_common.runtime.embedded_nats import free_port

from tests.integration.compose_file import ROOT
from tests.integration.kit import until
from tests.seeing.programs import BUILD_S, caddy

pytestmark = pytest.mark.timeout(BUILD_S + 60)
FILE = ROOT / "ops/edge/Caddyfile"
WEBHOOK = "/v1/webhooks/tradingview/a-token-that-nobody-must-see"
GIVES_UP_S = 3.0
"""TradingView's patience; it does not send again after it."""


@dataclass(slots=True)
class Gateway:
    """Answers every request with `status`, or never. `heard` are the bodies that came."""

    port: int = 0
    status: int = 200
    hangs: bool = False
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            self.heard.append(await reader.readexactly(length))
            if self.hangs:
                await reader.read()  # until the edge gives up
            else:
                writer.write(b"HTTP/1.1 %d Told\r\nContent-Length: 2\r\n\r\n{}" % self.status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the edge broke off
        finally:
            writer.close()


@dataclass(slots=True, kw_only=True)
class Edge:
    folder: Path
    port: int
    plain_port: int
    gateway: Gateway
    listener: asyncio.Server

    def client(self) -> httpx.AsyncClient:
        """A sender that believes only the edge's own authority."""
        root = self.folder / "data/caddy/pki/authorities/local/root.crt"
        context = ssl.create_default_context(cafile=root)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        url = f"https://localhost:{self.port}"
        return httpx.AsyncClient(base_url=url, verify=context, trust_env=False, timeout=10)

    async def post(self, path: str = WEBHOOK, body: bytes = b"{}") -> tuple[httpx.Response, float]:
        """The answer and the seconds it took."""
        async with self.client() as client:
            await client.get("/")  # the handshake is not the gateway's time
            began = time.monotonic()
            return await client.post(path, content=body), time.monotonic() - began


@asynccontextmanager
async def edge(folder: Path, senders: str = "127.0.0.1 ::1") -> AsyncIterator[Edge]:
    """Our file on ports that are free here."""
    port, plain_port = free_port(), free_port()
    text = FILE.read_text(encoding="utf-8")
    text = text.replace("https_port 8443", f"https_port {port}")
    text = text.replace("http_port 8080", f"http_port {plain_port}")
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    gateway = Gateway()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            caddy(), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile",
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder),
                "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder),
                "ARGOS_DOMAIN": "localhost", "ARGOS_SENDERS": senders,
                "ARGOS_GATEWAY": f"127.0.0.1:{gateway.port}",
            },
            stdout=log, stderr=log,
        )  # fmt: skip
    found = Edge(folder=folder, port=port, plain_port=plain_port, gateway=gateway, listener=server)
    try:
        await until(lambda: _listens(found), "the edge listens", 20)
        yield found
    finally:
        process.terminate()
        await process.wait()
        server.close()
        await server.wait_closed()
        assert WEBHOOK not in (folder / "log").read_text(encoding="utf-8"), "a token was logged"


def _listens(found: Edge) -> bool:
    said = (found.folder / "log").read_text(encoding="utf-8")
    return "serving initial configuration" in said and "certificate obtained" in said


def test_caddy_takes_the_configuration() -> None:
    done = subprocess.run(
        [caddy(), "validate", "--config", str(FILE), "--adapter", "caddyfile"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"level":"warn"' not in done.stderr


async def test_an_alert_comes_through_over_tls_and_the_gateways_answer_goes_back(
    tmp_path: Path,
) -> None:
    async with edge(tmp_path) as found:
        for status in (200, 401, 422, 503):
            found.gateway.status = status
            answer, _ = await found.post(body=b'{"a": 1}')
            assert answer.status_code == status
        assert found.gateway.heard == [b'{"a": 1}'] * 4
        async with httpx.AsyncClient(trust_env=False) as client:
            plain = await client.post(f"http://localhost:{found.plain_port}{WEBHOOK}")
        assert plain.status_code == 308
        assert plain.headers["location"].startswith("https://")
        assert len(found.gateway.heard) == 4, "nothing came in without TLS"


async def test_a_gateway_that_hangs_or_is_away_is_a_503_in_time_so_that_the_sender_sends_again(
    tmp_path: Path,
) -> None:
    async with edge(tmp_path) as found:
        found.gateway.hangs = True
        answer, took_s = await found.post()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "send it again" in answer.json()["error"]
        assert 2.4 < took_s < GIVES_UP_S, "longer than the gateway's own limit, not the sender's"
    away = tmp_path / "away"
    away.mkdir()
    async with edge(away) as found:
        found.listener.close()
        answer, took_s = await found.post()
        assert answer.status_code == 503
        assert took_s < GIVES_UP_S


@pytest.mark.parametrize(
    ("what", "senders", "ask"),
    [
        ("another path", "127.0.0.1 ::1", lambda c: c.post("/api/system/status", content=b"{}")),
        ("another method", "127.0.0.1 ::1", lambda c: c.get(WEBHOOK)),
        ("another sender", "192.0.2.1", lambda c: c.post(WEBHOOK, content=b"{}")),
    ],
)
async def test_nothing_else_comes_through(
    tmp_path: Path, what: str, senders: str, ask: Callable[[httpx.AsyncClient], object]
) -> None:
    async with edge(tmp_path, senders) as found, found.client() as client:
        answer = await ask(client)  # type: ignore[misc]  # each is a request
        assert answer.status_code == 404, what
        assert found.gateway.heard == []


async def test_a_body_that_is_too_long_is_refused_at_the_edge(tmp_path: Path) -> None:
    async with edge(tmp_path) as found:
        answer, _ = await found.post(body=b"x" * 40_000)
        assert answer.status_code in (413, 503), "the older Caddy of Debian says the latter"
        assert found.gateway.heard == []
