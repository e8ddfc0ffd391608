"""The whole fleet in containers, as `docker compose up` makes it, with ports and a project of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from argos_cli.client.history import Recorded, read_now
from argos_common.runtime.embedded_nats import free_port
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.nats_connection import NatsConnection, NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.settings import load_fleet
from argos_mt5_node.simulator.control import SimulatorControl

from tests.integration.compose_file import FILE, ROOT, from_file, has_compose, settings
from tests.integration.kit import FLEET_TOML, until

SMALL_DISK = Path(__file__).with_name("compose.small-disk.yml")
READY_S = 120
SERVICES = (
    "gateway", "risk", "bridge", "mt5-node", "mt5-terminal", "exchange-node", "reconciler", "monitor",
)  # fmt: skip


def need_docker() -> None:
    """Skip without ARGOS_TEST_DOCKER=1; with it, a Docker that cannot be used is a failure."""
    if os.environ.get("ARGOS_TEST_DOCKER") != "1":
        pytest.skip("not asked for: set ARGOS_TEST_DOCKER=1, or run `make test-docker`")
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, f"Docker was asked for and does not answer: {asked.stderr}"
    assert has_compose(), "Docker was asked for, but `docker compose` is not installed"


@dataclass(slots=True)
class ComposeFleet:
    """A running project. `fleet` is its configuration, as for a fleet on this machine."""

    project: str
    env: dict[str, str]
    over: tuple[Path, ...] = ()
    """Files over docker-compose.yml."""
    fleet: Fleet = field(default_factory=lambda: load_fleet(FLEET_TOML))
    token: str = ""
    seed: str = ""

    def compose(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        files = [word for each in (FILE, *self.over) for word in ("-f", str(each))]
        done = subprocess.run(
            ["docker", "compose", *files, "-p", self.project, "--profile", "paper", *words],
            capture_output=True, text=True, env=self.env, cwd=ROOT, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, (
            f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done

    def docker(self, *words: str) -> str:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def up(self) -> None:
        """Start what does not run; returns when all is healthy."""
        self.compose("up", "-d", "--wait", "--wait-timeout", str(READY_S))

    def argos(self, *words: str) -> object:
        """`docker compose run argos … --json`, parsed; whatever its exit code."""
        done = self.compose(
            "run", "--rm", "-T", "--no-deps", "argos", *words, "--json", check=False
        )
        try:
            return json.loads(done.stdout)
        except ValueError:
            pytest.fail(f"argos {words} gave no JSON: {done.stdout} {done.stderr}")

    def job(self, *words: str) -> str:
        """The secrets job with other words."""
        done = self.compose(
            "run", "--rm", "-T", "--no-deps", "secrets", "argos_cli", "staging", *words
        )
        return done.stdout.strip()

    async def pause(self, service: str) -> None:
        """Freeze it. A busy kernel may be unable to at the first try, and says so."""
        for _ in range(10):
            words = ["docker", "pause", self.container(service)]
            asked = await asyncio.to_thread(subprocess.run, words, capture_output=True, check=False)
            if asked.returncode == 0:
                return
            await asyncio.sleep(0.5)
        pytest.fail(f"{service} cannot be paused: {asked.stderr.decode()}")

    def container(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def network(self, name: str) -> str:
        return f"{self.project}_{name}"

    def address(self, service: str, network: str) -> str:
        """Where this machine reaches a container; changes when it is started again."""
        found = json.loads(self.docker("inspect", self.container(service)))[0]
        return str(found["NetworkSettings"]["Networks"][self.network(network)]["IPAddress"])

    def healthy(self, *services: str) -> bool:
        """By their own health checks, at this moment."""
        for service in services or ("nats", "postgres", *SERVICES):
            found = json.loads(self.docker("inspect", self.container(service)))[0]["State"]
            if found["Status"] != "running" or found["Health"]["Status"] != "healthy":
                return False
        return True

    async def until_unwell(self, service: str) -> None:
        """By its own health check, asked now, not when Docker next does."""
        words = from_file()["services"][service]["healthcheck"]["test"][1:]
        for _ in range(READY_S):
            asked = ["docker", "exec", self.container(service), *words]
            said = await asyncio.to_thread(subprocess.run, asked, capture_output=True, check=False)
            if said.returncode != 0:
                return
            await asyncio.sleep(0.5)
        pytest.fail(f"{service} says it is well")

    async def until_healthy(self, *services: str) -> None:
        await until(lambda: self.healthy(*services), f"{services or 'all'} are healthy", READY_S)

    def webhook_url(self, source: str) -> str:
        assert source == "argos"
        return (
            f"http://127.0.0.1:{self.env['ARGOS_GATEWAY_PORT']}/v1/webhooks/{source}/{self.token}"
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[NatsConnection]:
        """To the log server, as the operator."""
        url = f"nats://{self.address('nats', 'bus')}:4222"
        connection = await connect(
            NatsSettings(url=url, name="operator", nkey_seed=self.seed), timeout_s=20
        )
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def log(self) -> AsyncIterator[NatsLog]:
        """The log, read as the operator."""
        async with self.connected() as connection:
            yield NatsLog(connection)

    async def history(self) -> list[Recorded]:
        async with self.log() as log:
            return await read_now(log)

    def venue_orders(self) -> list[dict[str, Any]]:
        """Our orders as the simulated broker accepted them."""
        control = SimulatorControl((self.address("mt5-terminal", "terminal"), 7700))
        try:
            return [
                entry
                for entry in control.record()
                if (entry["kind"], entry["origin"]) == ("order", "expert")
                and entry["comment"].startswith("a1")
            ]
        finally:
            control.close()

    def operators_file(self, name: str) -> str:
        """What stands in a file of the operator's secrets."""
        return self.compose(
            "run", "--rm", "-T", "--no-deps", "--entrypoint", "cat", "argos",
            f"/var/lib/argos/secrets/{name}",
        ).stdout  # fmt: skip


Fleets = TypeVar("Fleets", bound=ComposeFleet)


@contextmanager
def compose_fleet(kind: type[Fleets], *over: Path) -> Iterator[Fleets]:
    """Built, started and healthy; nothing of it is left at the end."""
    project = f"argos-test-{os.getpid()}"
    env = os.environ | {
        "ARGOS_GATEWAY_PORT": str(free_port()),  # kept when the container is started again
        "ARGOS_MONITOR_PORT": str(free_port()),
        "ARGOS_OTLP": "",
        "COMPOSE_PROFILES": "paper",
    }
    env = {
        name: value
        for name, value in env.items()
        if name not in settings() or name.startswith("COMPOSE")
    }
    fleet = kind(project=project, env=env, over=over)
    try:
        fleet.compose("build", "--quiet")
        fleet.up()
        fleet.token = fleet.job("token", "argos")
        fleet.seed = fleet.operators_file("nats.nk").strip()
        yield fleet
    except BaseException:
        told = fleet.compose("ps", "-a", check=False).stdout
        told += fleet.compose("logs", "--no-color", "--tail", "15", check=False).stdout
        sys.stderr.write(told)
        raise
    finally:
        fleet.compose(
            "--profile", "tools", "down", "-v", "--remove-orphans", "-t", "3", check=False
        )
