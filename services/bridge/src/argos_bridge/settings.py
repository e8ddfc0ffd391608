"""Which nodes the bridge speaks to, and where they are."""

from __future__ import annotations

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet


def node_addresses(fleet: Fleet, environment: Environment) -> dict[str, str]:
    """Node name -> host:port; what the environment names goes first. Raises ConfigMistake."""
    found = {}
    for name, node in fleet.nodes.items():
        address = environment.node_addresses.get(name) or node.address
        if not address:
            raise ConfigMistake(
                f"nobody said where node {name} is: set nodes.{name}.address or"
                " ARGOS_NODE_ADDRESSES"
            )
        found[name] = address
    return found
