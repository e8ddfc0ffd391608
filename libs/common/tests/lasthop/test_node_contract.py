"""The node contract over a fake venue: in process with a memory journal, and over real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_common.lasthop.journal import Journal
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.testing.node_bench import ACCOUNT, Bench, Kit
from argos_common.testing.node_contract import NodeContract
from argos_common.testing.trial_venue import FakeVenue


@pytest.fixture(params=["in process", "grpc"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    def open_journal() -> Journal:
        return SqliteJournal(tmp_path / "journal.sqlite", ACCOUNT)

    bench = Bench(
        Kit(
            make_venue=lambda clock: FakeVenue(ACCOUNT, clock),
            open_journal=open_journal,
            over_grpc=request.param == "grpc",
        )
    )
    await bench.start()
    yield bench
    await bench.stop()


class TestFakeVenueNode(NodeContract):
    """Everything is in the contract."""
