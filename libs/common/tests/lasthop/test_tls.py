"""A node beyond this machine: both sides prove themselves by certificates of one authority."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from argos_common.domain.errors import ConfigMistake
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.server import NodeServer
from argos_common.runtime.entropy import SeededEntropy
from argos_common.runtime.tls import TlsFiles
from argos_common.testing.node_bench import ACCOUNT, PushedClock
from argos_common.testing.trial_venue import FakeVenue


def certificates(folder: Path, authority: trustme.CA, name: str) -> TlsFiles:
    """A certificate for `name`, and the authority that signed it, as files."""
    issued = authority.issue_cert(name)
    paths = [folder / f"{name}.{kind}" for kind in ("ca", "pem", "key")]
    authority.cert_pem.write_to_path(str(paths[0]))
    issued.cert_chain_pems[0].write_to_path(str(paths[1]))
    issued.private_key_pem.write_to_path(str(paths[2]))
    return TlsFiles(*map(str, paths))


async def test_only_callers_of_the_same_authority_reach_a_node(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    node_tls = certificates(tmp_path, ours, "localhost")
    bridge = certificates(tmp_path, ours, "bridge.argos.internal")
    stranger = certificates(tmp_path, theirs, "stranger.argos.internal")
    clock = PushedClock()
    venue, journal = FakeVenue(ACCOUNT, clock), AsyncJournal(MemoryJournal())
    hop = LastHop(ACCOUNT, venue, journal, clock, SeededEntropy(1))
    await hop.start()
    server = NodeServer(LocalNode([hop], clock), clock, tls=node_tls)
    port = await server.start()
    right_ca_wrong_key = TlsFiles(bridge.ca, stranger.certificate, stranger.key)
    try:
        client = NodeClient(f"tls://localhost:{port}", tls=bridge)
        await client.snapshot(ACCOUNT)
        await client.close()
        for address, tls in (
            (f"tls://localhost:{port}", right_ca_wrong_key),
            (f"tls://localhost:{port}", stranger),
            (f"tls://127.0.0.1:{port}", bridge),  # not the name in the certificate
            (f"localhost:{port}", bridge),  # not over TLS
        ):
            refused = NodeClient(address, tls=tls, call_timeout_s=1.0)
            with pytest.raises(NodeUnavailable):
                await refused.snapshot(ACCOUNT)
            await refused.close()
    finally:
        await server.stop(0)
        await hop.stop()


async def test_tls_without_certificates_is_a_mistake_with_a_name() -> None:
    with pytest.raises(ConfigMistake, match="ARGOS_NODE_CERT_FILE"):
        NodeClient("tls://mt5.example:50051")
    with pytest.raises(ConfigMistake, match=r"absent\.pem cannot be read"):
        NodeClient("tls://mt5.example:50051", tls=TlsFiles("absent.pem", "a.pem", "a.key"))
