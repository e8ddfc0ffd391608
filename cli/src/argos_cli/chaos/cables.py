"""The cables of the fleet under attack: each TCP connection passes through a proxy of ours.

    <service>→nats      one for each service that uses the log
    <caller>→<node>     the bridge's and the reconciler's to each venue node

Processes are told the cable's port instead of the real one. The second bridge has cables of its own,
which are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from argos_common.testing.tcp_proxy import TcpProxy

from argos_cli.chaos.faults import CABLES


@dataclass(slots=True)
class Cables:
    """`ports`: the fleet's ports by name, as the supervisor's."""

    ports: Mapping[str, int]
    proxies: dict[str, TcpProxy] = field(default_factory=dict)

    async def start(self) -> None:
        for name in CABLES:
            end = name.partition("→")[2]
            if end == "nats":
                port = self.ports["nats"]
            else:
                port = self.ports[f"node:{end.rpartition('-')[2]}"]
            self.proxies[name] = TcpProxy(port)
            await self.proxies[name].start()

    async def stop(self) -> None:
        for proxy in self.proxies.values():
            await proxy.stop()

    def environment(self) -> dict[str, dict[str, str]]:
        """Process -> the variables that lead it through its cables."""
        found: dict[str, dict[str, str]] = {}
        nodes: dict[str, dict[str, str]] = {}
        for name, proxy in self.proxies.items():
            caller, _, end = name.partition("→")
            if end == "nats":
                url = f"nats://127.0.0.1:{proxy.port}"
                found.setdefault(caller, {})["ARGOS_NATS_URL"] = url
            else:
                node = end.rpartition("-")[2]
                nodes.setdefault(caller, {})[node] = f"127.0.0.1:{proxy.port}"
        for caller, addresses in nodes.items():
            found.setdefault(caller, {})["ARGOS_NODE_ADDRESSES"] = json.dumps(addresses)
        return found
