"""The fleet in containers with three log servers, one of which can be killed."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NatsSettings,
    NoAnswer,
    NobodyThere,
    NotSent,
    connect,
)
from argos_common.runtime.provision import fetch_json
from argos_common.runtime.tls import TlsFiles

from tests.integration.compose_fleet import ComposeFleet

SERVERS = {"argos-1": "nats", "argos-2": "nats-2", "argos-3": "nats-3"}
"""Server name -> service."""
LEADER_S = 60.0
_FILES = ("nats-ca.pem", "nats.pem", "nats.key")


@dataclass(slots=True)
class ComposeCluster(ComposeFleet):
    """`connected` as for one server, but over TLS, to whichever of the three answers."""

    certificate: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[NatsConnection]:
        url = ",".join(f"tls://{service}:4222" for service in SERVERS.values())
        with tempfile.TemporaryDirectory() as folder, self._names_found():
            for name in _FILES:
                if name not in self.certificate:
                    self.certificate[name] = await asyncio.to_thread(self.operators_file, name)
                (Path(folder) / name).write_text(self.certificate[name], "ascii")
            tls = TlsFiles(*(f"{folder}/{name}" for name in _FILES))
            settings = NatsSettings(url=url, name="operator", nkey_seed=self.seed, tls=tls)
            connection = await connect(settings, timeout_s=30)
            try:
                yield connection
            finally:
                await connection.close()

    @contextmanager
    def _names_found(self) -> Iterator[None]:
        """The servers' names lead to their containers, as they do among containers.

        A certificate is for a name, and a container that is started again may get another address.
        """
        known = socket.getaddrinfo

        def find(host: Any, *rest: Any, **more: Any) -> Any:
            if host in SERVERS.values():
                host = self.address(host, "bus")
                if not host:
                    raise socket.gaierror(socket.EAI_NONAME, "its container does not run")
            return known(host, *rest, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", find)
            yield

    async def leader(self, connection: NatsConnection, but: str = "") -> str:
        """The service that leads the stream, once one does that is not `but`."""
        async with asyncio.timeout(LEADER_S):
            while True:
                try:
                    reply = await connection.request("$JS.API.STREAM.INFO.ARGOS_g1", b"", 2.0)
                    name = json.loads(reply.data)["cluster"].get("leader")
                except (NotSent, NobodyThere, NoAnswer, KeyError):
                    name = None  # while they elect one
                if name and SERVERS[name] != but:
                    return SERVERS[name]
                await asyncio.sleep(0.1)

    def stored(self) -> dict[str, tuple[int, int]]:
        """Service -> entries and last sequence of the log, as that server has it on its own disk."""
        found = {}
        for service in SERVERS.values():
            url = f"http://{self.address(service, 'bus')}:8222/jsz?streams=true"
            page: Any = fetch_json(url, 5.0)
            state = page["account_details"][0]["stream_detail"][0]["state"]
            found[service] = (state["messages"], state["last_seq"])
        return found
