"""A real NATS cluster of three servers on the loopback interface, whose leader can be killed.

The servers are configured as a fleet's must be: file storage, `sync_interval: always`. A kill is
kill -9 of one process, found by its own handle, never by name.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from argos_common.runtime.embedded_nats import find_binary, free_port
from argos_common.runtime.nats_connection import NatsConnection, NoAnswer, NobodyThere, NotSent
from argos_common.runtime.provision import fetch_json

SIZE = 3
READY_S = 30.0
_POLL_S = 0.05

_CONFIG = """\
server_name: {name}
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 256KB
log_file: "{folder}/nats.log"
jetstream {{ store_dir: "{folder}/jetstream", max_mem: 64MB, max_file: 1GB, sync_interval: always }}
cluster {{ name: C1, listen: "127.0.0.1:{cluster_port}", routes: [{routes}], no_advertise: true }}
"""
"""Not advertised: a client that speaks to one server through a cable must not learn of the others."""


@dataclass(slots=True)
class Member:
    """One server of the cluster; it keeps its ports and files over restarts."""

    name: str
    folder: Path
    port: int
    monitor_port: int
    cluster_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.process = subprocess.Popen(  # our own binary
            [str(find_binary()), "-c", str(self.folder / "nats.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class NatsCluster:
    """Three servers; `url` names them all."""

    members: list[Member] = field(default_factory=list)
    replicas = SIZE

    @property
    def port(self) -> int:
        return self.members[0].port

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{member.port}" for member in self.members)

    def start(self) -> None:
        """Start whoever does not run."""
        for member in self.members:
            if not member.running:
                member.start()

    async def ready(self) -> None:
        """Wait until every running server is in step and knows who leads. Raises TimeoutError."""
        async with asyncio.timeout(READY_S):
            for member in self.members:
                while member.running and not await _in_step(member):  # noqa: ASYNC110  # only asking tells
                    await asyncio.sleep(_POLL_S)

    async def leader(self, connection: NatsConnection, stream: str) -> str:
        """The name of the server that leads the stream. Raises TimeoutError if none comes."""
        async with asyncio.timeout(READY_S):
            while True:
                answer = await _ask(connection, f"$JS.API.STREAM.INFO.{stream}")
                cluster = answer.get("cluster")
                if isinstance(cluster, dict) and cluster.get("leader"):
                    return str(cluster["leader"])
                await asyncio.sleep(_POLL_S)

    async def hand_over(self, connection: NatsConnection, stream: str) -> None:
        """Have the stream's leader hand over to another server, and do not wait for it."""
        await _ask(connection, f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}")

    async def kill_leader(self, connection: NatsConnection, stream: str) -> None:
        """Kill -9 of the server that leads the stream. The others elect another in seconds."""
        name = await self.leader(connection, stream)
        next(member for member in self.members if member.name == name).kill()

    async def restart_leader(self, connection: NatsConnection, stream: str) -> None:
        """Kill the leader, and start it again once another one leads."""
        await self.kill_leader(connection, stream)
        await self.leader(connection, stream)
        self.start()
        await self.ready()

    def stop(self) -> None:
        for member in self.members:
            member.kill()


async def start_cluster(folder: Path) -> NatsCluster:
    """Three servers on free ports, their files in `folder`. Whoever starts them stops them."""
    cluster_ports = [free_port() for _ in range(SIZE)]
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in cluster_ports)
    cluster = NatsCluster()
    for number, cluster_port in enumerate(cluster_ports, start=1):
        home = folder / f"n{number}"
        member = Member(f"n{number}", home, free_port(), free_port(), cluster_port)
        home.mkdir(parents=True)
        (home / "nats.conf").write_text(
            _CONFIG.format(
                name=member.name,
                port=member.port,
                monitor_port=member.monitor_port,
                folder=home,
                cluster_port=cluster_port,
                routes=routes,
            ),
            encoding="utf-8",
        )
        cluster.members.append(member)
    try:
        cluster.start()
        await cluster.ready()
    except BaseException:
        cluster.stop()
        raise
    return cluster


async def _in_step(member: Member) -> bool:
    """Whether the server serves, knows who leads, and, if it leads, has both others in step."""
    address = f"http://127.0.0.1:{member.monitor_port}"
    try:
        healthy = await asyncio.to_thread(fetch_json, f"{address}/healthz", 1.0)
        meta = (await asyncio.to_thread(fetch_json, f"{address}/jsz", 1.0)).get("meta_cluster")
    except (OSError, ValueError):
        return False  # not listening yet, or not in step yet
    if healthy.get("status") != "ok" or not isinstance(meta, dict) or not meta.get("leader"):
        return False
    if meta["leader"] != member.name:
        return True  # only the leader knows how the others are
    return all(each["current"] and not each.get("offline") for each in meta["replicas"])


async def _ask(connection: NatsConnection, subject: str) -> dict[str, object]:
    """A JetStream request; empty while nobody answers."""
    try:
        reply = await connection.request(subject, b"", 2.0)
    except (NotSent, NobodyThere, NoAnswer):
        return {}
    answer = json.loads(reply.data)
    return answer if isinstance(answer, dict) else {}
