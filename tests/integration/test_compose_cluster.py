"""Three log servers in containers: their leader is killed while kills and claims race.

One fleet for all of it. What counts is what stands on the log and at the simulated broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import count

import pytest
from argos_cli.audit.replay import replay_record
from argos_cli.client.commands import command
from argos_cli.client.history import Recorded, recorded
from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.node import CommandKind, CommandReply
from argos_common.domain.order import OrderDeclined, OrderSubmitting
from argos_common.domain.times import NS_PER_S
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import Append, LogUnavailable, Mine, Unconditional
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsConnection
from argos_common.runtime.nats_log import NatsLog
from argos_common.wire import codec, subjects

from tests.integration.compose_cluster import SERVERS, ComposeCluster
from tests.integration.compose_file import CLUSTER
from tests.integration.compose_fleet import compose_fleet, need_docker
from tests.integration.compose_promises import (
    assert_promises_kept,
    opened_after_a_kill,
    verified,
)
from tests.integration.kit import SCALPER, STACKER, TREND, Sender, alert, until

# The NATS client forgets the writer of a reconnect that failed.
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning"),
]
ROUNDS = 4
SPREAD_S = 1.0
"""Kills are appended from this long before the leader is killed until this long after."""
LEASE_S = 2.0
SLOW_S = 1.0
"""A container that gets no processor hears the end of its lease later."""
OUTAGE_MAX_S = 30.0
BOTS = (SCALPER, ("scalper", "scalper-0.9.2", "GBPUSD", "0.10"), TREND, STACKER)
ACCOUNTS = ("mt5-hedge", "mt5-net", "paper-spot")


@pytest.fixture(scope="module")
def fleet() -> Iterator[ComposeCluster]:
    need_docker()
    with compose_fleet(ComposeCluster, CLUSTER) as found:
        yield found


@asynccontextmanager
async def load(sender: Sender, prefix: str) -> AsyncIterator[None]:
    """Entries and exits on every account, from four senders at once, around a block."""
    stop = asyncio.Event()
    flows = [
        asyncio.create_task(sender.flow(stop, f"{prefix}-{n}", (bot,), pause_s=0.02))
        for n, bot in enumerate(BOTS)
    ]
    try:
        await until(lambda: len(sender.taken) >= 6, "signals flow", 60)
        yield
        before = len(sender.taken)
        await until(lambda: len(sender.taken) >= before + 6, "signals flow again", 90)
    finally:
        stop.set()
        await asyncio.gather(*flows)


async def until_approved(log: NatsLog, account: str) -> None:
    """An intent that adds risk has just been approved, and its claim is due; or some time passes."""

    def is_it(event: Event | None) -> bool:
        return (
            isinstance(event, VerdictGiven)
            and event.account == account
            and any(leg.effect is Effect.OPEN for leg in event.legs)
        )

    with contextlib.suppress(TimeoutError, LogUnavailable):
        async with asyncio.timeout(SPREAD_S), aclosing(log.read(await log.tail())) as entries:
            async for entry in entries:
                if is_it(recorded(entry).event):
                    return


async def kill(log: NatsLog, account: str, wait_s: float) -> int:
    """The log position of a kill, appended until it is acknowledged."""
    event = KillEngaged(
        account=Account(account), scope=Scope.ACCOUNT, actor="test", reason="a race",
        request_id=f"{account}-{time.monotonic_ns()}", asked_at_ns=SystemClock().now_ns(),
    )  # fmt: skip
    append = Append(
        subject=subjects.control(account), data=codec.encode(event), condition=Unconditional()
    )
    await asyncio.sleep(wait_s)
    await until_approved(log, account)
    async with asyncio.timeout(60):
        while True:
            answer = await log.append(append)
            if isinstance(answer, Mine):
                return answer.sequence
            await asyncio.sleep(0.05)


async def resume(connection: NatsConnection) -> None:
    asked = command(CommandKind.RELEASE, actor="test", reason="go on", accounts=ACCOUNTS)
    said = await NatsBus(connection).request(subjects.COMMAND, codec.pack(asked), 20)
    reply = codec.unpack(CommandReply, said)
    assert reply.ok, reply.sentence


async def outage(sender: Sender) -> float:
    """Seconds until an alert is answered 200 again, from now."""
    began = time.monotonic()
    for number in count():
        answer = await sender.once(alert(f"probe-{began}-{number}", "exit", SCALPER))
        if answer is not None and answer.status == 200:
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    raise AssertionError


async def test_a_leader_is_killed_while_kills_and_claims_race(
    fleet: ComposeCluster, record_property: Callable[[str, object], None]
) -> None:
    chance, sender = random.Random(1), Sender(fleet)  # drawn moments, no secret
    acked: dict[int, str] = {}
    async with fleet.connected() as connection:
        log = NatsLog(connection)
        for number in range(ROUNDS):
            before = [(each.entry.sequence, each.entry.data) for each in await fleet.history()]
            leader = await fleet.leader(connection)
            async with load(sender, f"round-{number}"):
                kills = [
                    asyncio.create_task(kill(log, each, chance.uniform(0, 2 * SPREAD_S)))
                    for each in ACCOUNTS
                ]
                await asyncio.sleep(SPREAD_S)
                await asyncio.to_thread(fleet.docker, "kill", fleet.container(leader))
                away_s = await outage(sender)
                record_property(f"outage_{number}_s", f"{away_s:.1f}")
                assert away_s < OUTAGE_MAX_S
                positions = await asyncio.gather(*kills)
                acked |= dict(zip(positions, ACCOUNTS, strict=True))
                if number == 1:  # a service starts while one of the three is away
                    await asyncio.to_thread(fleet.docker, "restart", fleet.container("risk"))
                await asyncio.to_thread(fleet.docker, "start", fleet.container(leader))
            await fleet.until_healthy(*SERVERS.values(), "risk")
            items = await assert_promises_kept(fleet, sender)
            now = [(each.entry.sequence, each.entry.data) for each in items]
            assert now[: len(before)] == before, "what was on the log is not any more"
            await resume(connection)

    items = await assert_promises_kept(fleet, sender)
    on_record = {
        each.entry.sequence: str(each.event.account)
        for each in items
        if isinstance(each.event, KillEngaged)
    }
    assert acked.items() <= on_record.items(), "an acknowledged kill is not on the log"
    assert opened_after_a_kill(items) == []
    assert late_at_the_broker(fleet, items) == []
    closest_s = claims_before_kills(items)
    for name, value in (
        ("signals", len(sender.taken)),
        ("kills", len(on_record)),
        ("approved, then barred by a kill", len(barred(items))),
        ("claims in the 2 s before a kill", sum(each < LEASE_S for each in closest_s)),
        ("closest claim to a kill, ms", f"{1000 * min(closest_s):.0f}"),
    ):
        record_property(name, value)
    assert min(closest_s) < LEASE_S, "no claim came near a kill: nothing raced"
    assert len(set(fleet.stored().values())) == 1, "the servers hold different logs"
    report = replay_record(items)
    assert report.passed, report.difference
    await verified(fleet)


def late_at_the_broker(fleet: ComposeCluster, items: list[Recorded]) -> list[str]:
    """Orders that add risk and reached the broker more than a lease after a kill of their account."""
    claims = {e.tag: e for i in items if isinstance(e := i.event, OrderSubmitting)}
    killed_ns: dict[str, list[int]] = {}
    claimed_ns = {
        e.tag: i.entry.appended_ns for i in items if isinstance(e := i.event, OrderSubmitting)
    }
    for item in items:
        if isinstance(item.event, KillEngaged):
            killed_ns.setdefault(item.event.account, []).append(item.entry.appended_ns)
    late = []
    for order in fleet.venue_orders():
        claim = claims[order["comment"]]
        if claim.effect is not Effect.OPEN:
            continue
        since_ns = [
            order["received_ns"] - at_ns
            for at_ns in killed_ns.get(claim.account, ())
            if claimed_ns[claim.tag] < at_ns < order["received_ns"]
        ]
        if since_ns and max(since_ns) > (LEASE_S + SLOW_S) * NS_PER_S:
            late.append(claim.tag)
    return late


def barred(items: list[Recorded]) -> list[str]:
    """Approved orders that were not claimed, because a kill came first."""
    declined = (e for i in items if isinstance(e := i.event, OrderDeclined))
    return [str(each.order_id) for each in declined if each.code == "stale"]


def claims_before_kills(items: list[Recorded]) -> list[float]:
    """For each claim that adds risk, the seconds until the next kill of its account."""
    found, waiting = [], list[tuple[str, int]]()
    for item in items:
        event, at_ns = item.event, item.entry.appended_ns
        if isinstance(event, OrderSubmitting) and event.effect is Effect.OPEN:
            waiting.append((event.account, at_ns))
        elif isinstance(event, KillEngaged):
            found += [(at_ns - n) / NS_PER_S for account, n in waiting if account == event.account]
            waiting = [each for each in waiting if each[0] != event.account]
    return found


async def test_with_one_of_three_nothing_is_accepted_and_nothing_accepted_is_lost(
    fleet: ComposeCluster,
) -> None:
    sender = Sender(fleet)
    async with fleet.connected() as connection:
        leader = await fleet.leader(connection)
    others = [service for service in SERVERS.values() if service != leader]
    async with load(sender, "minority"):
        for service in others:
            await asyncio.to_thread(fleet.docker, "kill", fleet.container(service))
        refused = sender.answers[503]
        await until(lambda: sender.answers[503] > refused + 3, "the gateway refuses", 60)
        taken = len(sender.taken)
        await asyncio.sleep(2.0)
        assert len(sender.taken) == taken
        for service in others:
            await asyncio.to_thread(fleet.docker, "start", fleet.container(service))
    await fleet.until_healthy()
    items = await assert_promises_kept(fleet, sender)
    assert opened_after_a_kill(items) == []
    await verified(fleet)
