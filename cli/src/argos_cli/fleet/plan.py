"""Which processes make up a fleet, with which environment, in which order they stop.

    nats        the log                        started first, stopped last
    sim-<node>  the simulated broker           one for each mt5 node with a simulated terminal
    <kind>-node-<node>                         one for each node that has no address of its own
    risk bridge reconciler monitor gateway

The order of starting does not matter: each waits for what it needs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.fleet import Fleet, NodeSettings
from argos_mt5_node.core.simulated_accounts import world as simulated_world

SERVICES = ("risk", "bridge", "reconciler", "monitor", "gateway")
NODE_SERVICES = {"mt5": "mt5-node", "paper": "exchange-node"}
_LOOPBACK = "127.0.0.1,localhost,::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as planned. `ready` "http": /readyz of its metrics port; "listens": its port."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: str
    port: int


Planner = Callable[
    [Fleet, Path, dict[str, str], Mapping[str, int]],
    tuple[Process, ...],
]
"""(fleet, state folder, common environment, ports) -> everything but NATS."""


def is_simulated(node: NodeSettings) -> bool:
    """Whether the node's terminal is a simulated one that we start."""
    return node.kind == "mt5" and node.terminal == "simulated" and not node.address


def own_nodes(fleet: Fleet) -> tuple[NodeSettings, ...]:
    """The nodes that run here."""
    return tuple(node for node in fleet.nodes.values() if not node.address)


def node_process(node: NodeSettings) -> str:
    """The name of a node's process, as the service itself says it."""
    return f"{NODE_SERVICES[node.kind]}-{node.name}"


def simulator_process(node: NodeSettings) -> str:
    return f"sim-{node.name}"


def wanted_ports(fleet: Fleet, given: Mapping[str, int]) -> tuple[dict[str, int], dict[str, str]]:
    """(name -> port, 0 for any) and (name -> how to choose another), for everything that listens.

    `given` overrides by name: nats, nats-monitor, gateway, monitor, node:<name>, metrics:<process>.
    Raises ConfigMistake for a name that is none.
    """
    wanted = {
        "nats": 0,
        "nats-monitor": 0,
        "gateway": fleet.gateway.port,
        "monitor": fleet.monitor.port,
    }
    for node in own_nodes(fleet):
        wanted[f"node:{node.name}"] = 0
        wanted[f"metrics:{node_process(node)}"] = 0
        if is_simulated(node):
            wanted[simulator_process(node)] = 0
    for service in SERVICES:
        wanted[f"metrics:{service}"] = 0
    for name in given:
        if name not in wanted:
            raise ConfigMistake(
                f"--port {name}: there is no such port; there are {', '.join(wanted)}"
            )
    wanted |= given
    fixes = {name: f"choose another with --port {name}=0" for name in wanted}
    for name in ("gateway", "monitor"):
        fixes[name] = (
            f"set [{name}] port in the configuration, or use --port {name}=0 for a free one"
        )
    return wanted, fixes


def base_environment(
    *, config: Path, state: Path, generation: str, ports: Mapping[str, int], fleet: Fleet
) -> dict[str, str]:
    """What every process of the fleet is told."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARGOS_")}
    addresses = {
        node.name: node.address or f"127.0.0.1:{ports[f'node:{node.name}']}"
        for node in fleet.nodes.values()
    }
    return env | {
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
        "PYTHONUNBUFFERED": "1",
        "ARGOS_CONFIG": str(config.resolve()),
        "ARGOS_STATE": str(state.resolve()),
        "ARGOS_NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "ARGOS_NATS_MONITOR_URL": f"http://127.0.0.1:{ports['nats-monitor']}",
        "ARGOS_GENERATION": generation,
        "ARGOS_GATEWAY_PORT": str(ports["gateway"]),
        "ARGOS_MONITOR_PORT": str(ports["monitor"]),
        "ARGOS_NODE_ADDRESSES": json.dumps(addresses, sort_keys=True),
        "ARGOS_PARENT_PID": str(os.getpid()),
    }


def processes(
    fleet: Fleet, state: Path, env: dict[str, str], ports: Mapping[str, int]
) -> tuple[Process, ...]:
    """Everything but NATS, in the order in which it is started."""
    planned: list[Process] = []
    for node in own_nodes(fleet):
        if is_simulated(node):
            served = fleet.node_accounts(node.name)
            planned.append(_simulator(node, served, state, env, ports))
    for node in own_nodes(fleet):
        name = node_process(node)
        port = ports[f"metrics:{name}"]
        planned.append(
            _service(
                NODE_SERVICES[node.kind],
                name,
                state,
                env
                | {
                    "ARGOS_NODE": node.name,
                    "ARGOS_NODE_PORT": str(ports[f"node:{node.name}"]),
                    "ARGOS_METRICS_PORT": str(port),
                },
                port,
            )
        )
    for service in SERVICES:
        port = ports[f"metrics:{service}"]
        planned.append(
            _service(service, service, state, env | {"ARGOS_METRICS_PORT": str(port)}, port)
        )
    return tuple(planned)


def stop_order(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Groups that stop together, one after the other: intake first, the log last."""
    services = ("gateway", "bridge", "risk", "reconciler")
    nodes = tuple(name for name in names if "-node-" in name)
    simulators = tuple(name for name in names if name.startswith("sim-"))
    groups = [(name,) for name in services] + [nodes, simulators, ("monitor",), ("nats",)]
    return tuple(tuple(n for n in group if n in names) for group in groups)


def _service(service: str, name: str, state: Path, env: Mapping[str, str], port: int) -> Process:
    module = "argos_" + service.replace("-", "_")
    return Process(name=name, argv=_tethered(state, module), env=dict(env), ready="http", port=port)


def _simulator(
    node: NodeSettings,
    served: Sequence[AccountConfig],
    state: Path,
    env: Mapping[str, str],
    ports: Mapping[str, int],
) -> Process:
    name = simulator_process(node)
    port = ports[name]
    folder = state / "simulator" / node.name
    folder.mkdir(parents=True, exist_ok=True)
    world = folder / "accounts.json"
    world.write_text(
        json.dumps(simulated_world(served, node.balance), indent=2) + "\n", encoding="utf-8"
    )
    arguments = (
        "--accounts", str(world),
        "--state-dir", str(folder), "--seed", str(node.seed), "--port", str(port),
        "--parent-pid", str(os.getpid()),
    )  # fmt: skip
    return Process(
        name=name,
        argv=_tethered(state, "argos_mt5_node.simulator", *arguments),
        env=dict(env),
        ready="listens",
        port=port,
    )


def _tethered(state: Path, module: str, *arguments: str) -> tuple[str, ...]:
    tether = "argos_cli.fleet.tether"
    return (sys.executable, "-m", tether, str(state.resolve()), module, *arguments)
