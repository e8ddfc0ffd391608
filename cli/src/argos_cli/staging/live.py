"""Whether a configuration trades real money, and if it is meant to, whether it is ready for it."""

from __future__ import annotations

from collections.abc import Iterator

from argos_common.lasthop.client import TLS, NodeClient
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet

NO_HOST = (
    "nobody said where the Windows host of the terminal is: set ARGOS_MT5_ADDRESS=tls://host:port"
)
NOT_ARMED = (
    "the profile live has no simulated nodes and trades real money: set ARGOS_TRADE=live if that is"
    " meant, else use --profile paper"
)


def paper_mistakes(fleet: Fleet) -> Iterator[str]:
    """One sentence for each account that is not paper."""
    for name, account in fleet.accounts.items():
        if account.live:
            yield (
                f"account {name} is live, but this fleet was started for paper: set"
                " ARGOS_TRADE=live if real money is meant, else live = false"
            )
    for node in fleet.nodes.values():
        if node.kind == "mt5" and node.terminal == "real":
            yield (
                f"node {node.name} has a real terminal, but this fleet was started for paper: set"
                ' ARGOS_TRADE=live if real money is meant, else terminal = "simulated"'
            )


def live_mistakes(fleet: Fleet, environment: Environment) -> Iterator[str]:
    """One sentence for each thing that is missing before real money may be traded.

    That every live account is armed is a rule of the file itself.
    """
    if not any(account.live for account in fleet.accounts.values()):
        yield "no account is live: leave out ARGOS_TRADE=live"
    for name, address in _real_nodes(fleet, environment):
        if not address.startswith(TLS):
            yield (
                f"node {name} has a real terminal at {address or 'no address'}: call it over TLS,"
                " as tls://host:port"
            )
    if not environment.node_tls.certificate:
        yield (
            "there are no certificates for the way to the nodes: name them with"
            " ARGOS_NODE_CA_FILE, ARGOS_NODE_CERT_FILE and ARGOS_NODE_CERT_KEY_FILE"
        )


async def unreachable_nodes(fleet: Fleet, environment: Environment) -> list[str]:
    """One sentence for each real node that does not answer for its accounts."""
    found = []
    for name, address in _real_nodes(fleet, environment):
        client = NodeClient(address, tls=environment.node_tls)
        try:
            for account in fleet.node_accounts(name):
                await client.snapshot(account.account)
        except NodeUnavailable as error:
            found.append(f"node {name} cannot be asked: {error}")
        finally:
            await client.close()
    return found


def _real_nodes(fleet: Fleet, environment: Environment) -> list[tuple[str, str]]:
    return [
        (name, environment.node_addresses.get(name) or node.address)
        for name, node in fleet.nodes.items()
        if node.kind == "mt5" and node.terminal == "real"
    ]
