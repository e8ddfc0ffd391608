"""The log on three real servers: it keeps the contract, and a fence holds while leaders change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
from argos_common.runtime.log import Append, Fence, Mine, Unconditional
from argos_common.testing.log_benches import NatsBench, nats_bench
from argos_common.testing.log_contract import LogContract, collect, event, settle
from argos_common.testing.nats_cluster import NatsCluster, start_cluster

# The NATS client forgets the writer of a reconnect that failed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning")
GENERATIONS = (f"g{number}" for number in count(1))
CONTROL = "argos.v1.control.acc"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    found = asyncio.run(start_cluster(tmp_path_factory.mktemp("cluster")))
    yield found
    found.stop()


@pytest.fixture
async def harness(cluster: NatsCluster) -> AsyncIterator[NatsBench]:
    async with nats_bench(cluster, next(GENERATIONS)) as bench:
        yield bench


class TestNatsClusterLog(LogContract):
    """The fixture above serves every test. A restart is kill -9 of the stream's leader."""

    replicas = 3


async def test_a_fence_on_a_literal_subject_holds_under_load_while_leaders_change(
    harness: NatsBench,
) -> None:
    """No order stands behind a control event that its writer had not folded."""
    control = await settle(harness.other, event("control.acc", Unconditional()))
    assert isinstance(control, Mine)
    newest = control.sequence
    stopped = False
    numbers = count(1)
    stored: list[Append] = []

    async def write(log_number: int) -> None:
        log = harness.writers[log_number % len(harness.writers)]
        while not stopped:
            folded = newest
            append = event(
                f"order.acc.o{next(numbers)}.1", Fence(CONTROL, folded), data=b"%d" % folded
            )
            if isinstance(await log.append(append), Mine):
                stored.append(append)

    writing = [asyncio.create_task(write(number)) for number in range(32)]
    for turn in range(6):
        goal = len(stored) + 50
        async with asyncio.timeout(20):
            while len(stored) < goal:  # noqa: ASYNC110  # what it waits for has no event
                await asyncio.sleep(0.001)
        if turn % 3 == 1:
            await harness.hand_over()
        answer = await settle(harness.other, event("control.acc", Unconditional()))
        assert isinstance(answer, Mine)
        await asyncio.sleep(0)  # what was sent under the old one is still on its way
        newest = answer.sequence
    stopped = True
    await asyncio.gather(*writing)

    end = (await harness.other.status()).last_sequence
    last, orders, behind = 0, 0, []
    for entry in await collect(harness.other, 0, end):
        if entry.subject == CONTROL:
            last = entry.sequence
        else:
            orders += 1
            if int(entry.data) != last:
                behind.append(entry.sequence)
    assert behind == []
    assert orders >= len(stored) >= 300
