"""Where the ledger is, and which nodes are asked."""

from __future__ import annotations

from collections.abc import Mapping

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet

LEDGER_FILE = "ledger.db"


def ledger_url(environment: Environment, fleet: Fleet) -> str:
    """ARGOS_LEDGER_URL, else what the fleet's file says, else SQLite in the state folder."""
    named = environment.ledger_url or fleet.ledger_url
    return named or f"sqlite:///{environment.state.resolve() / LEDGER_FILE}"


def node_addresses(environment: Environment, fleet: Fleet) -> Mapping[str, str]:
    """Node name -> host:port. Raises ConfigMistake for a node whose address nobody says."""
    found = {}
    for name, node in fleet.nodes.items():
        address = environment.node_addresses.get(name) or node.address
        if not address:
            raise ConfigMistake(
                f"node {name} has no address: set nodes.{name}.address or ARGOS_NODE_ADDRESSES"
            )
        found[name] = address
    return found
