"""The MetaTrader node keeps what every venue node promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from argos_common.lasthop.journal import Journal
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.lasthop.venue import Venue
from argos_common.testing.node_bench import ACCOUNT, Bench, Kit, PushedClock
from argos_common.testing.node_contract import NodeContract
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.harness import HEDGING, NETTING


def kit_of(make_venue: Callable[[PushedClock], Venue], tmp_path: Path, *, over_grpc: bool) -> Kit:
    def open_journal() -> Journal:
        return SqliteJournal(tmp_path / "bench.sqlite", ACCOUNT)

    return Kit(
        make_venue=make_venue,
        open_journal=open_journal,
        over_grpc=over_grpc,
        quantity=Decimal("0.1"),
    )


async def started(kit: Kit) -> Bench:
    bench = Bench(kit)
    await bench.start()
    async with asyncio.timeout(20):
        while not bench.hop.ready():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)
    return bench


class TestInline(NodeContract):
    """In process, the terminal too."""

    @pytest.fixture(params=[HEDGING, NETTING], ids=["hedging", "netting"])
    async def bench(
        self, request: pytest.FixtureRequest, make_inline: Any, tmp_path: Path
    ) -> AsyncIterator[Bench]:
        def make_venue(clock: PushedClock) -> Mt5Venue:
            venue: Mt5Venue = make_inline(clock).venue(request.param)
            return venue

        bench = await started(kit_of(make_venue, tmp_path, over_grpc=False))
        yield bench
        await bench.stop()


class TestWorkerOverGrpc(NodeContract):
    """As it is run: gRPC, last hop, worker process, terminal, broker process."""

    @pytest.fixture
    async def bench(self, worker: Any, venue_on: Any, tmp_path: Path) -> AsyncIterator[Bench]:
        async with AsyncExitStack() as stack:
            terminal = await stack.enter_async_context(worker())
            kit = kit_of(lambda clock: venue_on(terminal, clock), tmp_path, over_grpc=True)
            bench = await started(kit)
            yield bench
            await bench.stop()
