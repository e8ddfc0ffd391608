"""The log on a real NATS server keeps the contract, behind a cable that can be held and cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_common.testing.log_benches import NatsBench, nats_bench
from argos_common.testing.log_contract import LogContract
from argos_common.testing.nats_server import running_nats


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[NatsBench]:
    async with running_nats(tmp_path / "nats") as server, nats_bench(server) as bench:
        yield bench


class TestNatsLog(LogContract):
    """The fixture above serves every test."""
