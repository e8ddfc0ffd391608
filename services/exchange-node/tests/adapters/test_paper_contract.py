"""The node contract over the paper venue: in process and over real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from argos_common.domain.ids import Symbol
from argos_common.lasthop.journal import Journal
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.testing.node_bench import ACCOUNT, Bench, Kit, PushedClock
from argos_common.testing.node_contract import NodeContract
from argos_exchange_node.adapters.memory_store import MemoryStore
from argos_exchange_node.adapters.paper import PaperVenue
from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.core.exchange import FeeHabit, Fees
from argos_exchange_node.settings import MARKETS


def paper_account() -> PaperAccount:
    return PaperAccount(
        account=ACCOUNT,
        currency="USD",
        markets=tuple(each for each in MARKETS if each.quote == "USD"),
        fees=Fees(Decimal("0.001"), FeeHabit.BASE),
        seed=1,
        balances={"USD": Decimal(100_000)},
    )


@pytest.fixture(params=["in process", "grpc"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    def open_journal() -> Journal:
        return SqliteJournal(tmp_path / "journal.sqlite", ACCOUNT)

    venues: list[PaperVenue] = []

    def make_venue(clock: PushedClock) -> PaperVenue:
        venues.append(PaperVenue(paper_account(), MemoryStore(), clock))
        return venues[-1]

    bench = Bench(
        Kit(
            make_venue=make_venue,
            open_journal=open_journal,
            over_grpc=request.param == "grpc",
            symbol=Symbol("BTCUSD"),
            venue_symbol="BTCUSD",
            other_symbol=Symbol("ETHUSD"),
            other_venue_symbol="ETHUSD",
            quantity=Decimal("0.01"),
        )
    )
    await bench.start()
    await venues[0].start()
    yield bench
    await bench.stop()


class TestPaperNode(NodeContract):
    """Everything is in the contract."""
