"""A NATS server on ops/nats/nats.conf, the very file that Compose mounts, with fresh keys."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from argos_cli.staging.secret_files import SecretFiles
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.embedded_nats import find_binary, free_port
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NatsEvents,
    NatsSettings,
    connect,
)
from argos_common.runtime.provision import fetch_json
from argos_common.runtime.settings import load_fleet

from tests.integration.kit import FLEET_TOML, until

CONFIGS = FLEET_TOML.parent / "ops/nats"


@dataclass(slots=True)
class SecuredNats:
    """The server, its secrets, and connections of its users."""

    folder: Path
    secrets: SecretFiles
    port: int
    monitor_port: int
    process: subprocess.Popen[bytes]
    opened: list[NatsConnection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"nats://localhost:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    def is_up(self) -> bool:
        try:
            health = fetch_json(self.monitor_url + "/healthz?js-enabled-only=true", 1.0)
        except (OSError, ValueError):
            assert self.process.poll() is None, (self.folder / "nats.log").read_text()
            return False
        return health.get("status") == "ok"

    def seed(self, user: str) -> str:
        return read_secret_file(self.folder / user / "secrets/nats.nk").reveal()

    async def connect(
        self, user: str, events: NatsEvents | None = None, *, seed: str = ""
    ) -> NatsConnection:
        """As that user, with its key of this moment; closed at the end."""
        settings = NatsSettings(url=self.url, name=user, nkey_seed=seed or self.seed(user))
        found = await connect(settings, events, timeout_s=5)
        self.opened.append(found)
        return found

    async def reload(self) -> None:
        """As `docker compose kill -s HUP nats`; returns when the server has read its files again."""
        before = self._loaded()
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: self._loaded() != before, "NATS has read its configuration again", 5)

    def _loaded(self) -> object:
        return fetch_json(self.monitor_url + "/varz", 2.0)["config_load_time"]


@asynccontextmanager
async def secured_nats(folder: Path, *, config: str = "nats.conf") -> AsyncIterator[SecuredNats]:
    """On free ports of the loopback interface; what the file says of address and store is replaced."""
    secrets = SecretFiles(folder, load_fleet(FLEET_TOML), SystemEntropy())
    secrets.make_missing()
    for each in CONFIGS.glob("*.conf"):
        text = each.read_text(encoding="utf-8")
        text = text.replace('"/data"', f'"{folder}/store"').replace(
            "/etc/nats/tls", f"{folder}/tls"
        )
        (folder / each.name).write_text(text, encoding="utf-8")
    (folder / "keys").symlink_to(folder / "nats/secrets")
    port, monitor_port = free_port(), free_port()
    with (folder / "nats.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220  # forking is quick; kept for signals
            [str(find_binary()), "-c", str(folder / config), "-a", "127.0.0.1",
             "-p", str(port), "-m", str(monitor_port)],
            stdout=log, stderr=log,
        )  # fmt: skip
    server = SecuredNats(folder, secrets, port, monitor_port, process)
    try:
        await until(server.is_up, "NATS is up", 10)
        yield server
    finally:
        for connection in server.opened:
            await connection.close()
        process.kill()
        await asyncio.to_thread(process.wait)
