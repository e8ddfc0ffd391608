"""The promises hold when the fleet runs in containers and these are killed, frozen and cut off.

One fleet for all of it: each test leaves it healthy, and the next one finds it so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from argos_cli.audit.replay import replay_record
from argos_common.domain.control import KillEngaged
from argos_common.domain.order import OrderSubmitting
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import Effect

from tests.integration.compose_file import settings
from tests.integration.compose_fleet import (
    SERVICES,
    SMALL_DISK,
    ComposeFleet,
    compose_fleet,
    need_docker,
)
from tests.integration.compose_promises import (
    alerts_flow,
    assert_promises_kept,
    until_at_rest,
    verified,
)
from tests.integration.kit import SCALPER, STACKER, TREND, Sender, alert, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
FAULT_S = 4.0
"""Longer than a lease, a submission's window and a request."""
FILLER = "/volumes/nats/data/filler"
MEMORY_MAX = 1 << 30
LAYERS_MAX = 130_000_000
"""Ours, above the base image, whose public build has about 120 MB: together under 250 MB."""


@pytest.fixture(scope="module")
def fleet() -> Iterator[ComposeFleet]:
    need_docker()
    with compose_fleet(ComposeFleet, SMALL_DISK) as found:
        yield found


@pytest.fixture
def sender(fleet: ComposeFleet) -> Sender:
    return Sender(fleet)


async def test_signals_become_orders_and_the_fleet_says_it_is_well(
    fleet: ComposeFleet, sender: Sender
) -> None:
    for bot in (SCALPER, TREND, STACKER):
        await sender.send(alert(f"happy-{bot[0]}-in", "buy", bot))
    await until_at_rest(fleet, sender)
    for bot in (SCALPER, TREND, STACKER):
        await sender.send(alert(f"happy-{bot[0]}-out", "exit", bot))
    items = await assert_promises_kept(fleet, sender)
    assert (
        sum(isinstance(item.event, OrderSubmitting) for item in items) == 8
    )  # trend has two accounts
    status = await asyncio.to_thread(fleet.argos, "status")
    assert isinstance(status, dict)
    assert (status["healthy"], status["status"]) == (True, "online")
    assert {each["mode"] for each in status["accounts"]} == {"paper"}
    await verified(fleet)


async def test_a_storm_of_one_alert_is_one_signal(fleet: ComposeFleet, sender: Sender) -> None:
    body = alert("storm", "buy", SCALPER)
    answers = await asyncio.gather(*(sender.once(body) for _ in range(60)))
    ids = {
        json.loads(answer.body)["signal_id"]
        for answer in answers
        if answer and answer.status == 200
    }
    assert len(ids) == 1
    await sender.send(body)
    items = await assert_promises_kept(fleet, sender)
    accepted = [e for item in items if isinstance(e := item.event, SignalAccepted)]
    (signal_id,) = ids
    assert sum(each.signal_id == signal_id for each in accepted) == 1


async def test_after_a_kill_in_a_burst_nothing_that_adds_risk_is_submitted(
    fleet: ComposeFleet, sender: Sender
) -> None:
    stop = asyncio.Event()
    flow = asyncio.create_task(sender.flow(stop, "burst", (SCALPER, TREND), pause_s=0.02))
    await until(lambda: len(sender.taken) > 5, "signals flow")
    killed = await asyncio.to_thread(fleet.argos, "kill", "--reason", "a test")
    await asyncio.sleep(1.0)  # alerts that come after the kill
    stop.set()
    await flow
    assert isinstance(killed, dict)
    items = await assert_promises_kept(fleet, sender)
    at = {
        e.account: item.entry.sequence for item in items if isinstance(e := item.event, KillEngaged)
    }
    assert at == killed["positions"]
    late = [
        e.order_id
        for item in items
        if isinstance(e := item.event, OrderSubmitting)
        and e.effect is Effect.OPEN
        and item.entry.sequence > at[e.account]
    ]
    assert late == []
    resumed = await asyncio.to_thread(
        fleet.argos, "resume", "--reason", "the test goes on", "--yes"
    )
    assert isinstance(resumed, dict)
    assert resumed["ok"], resumed
    await verified(fleet)


async def test_each_service_in_turn_is_killed_and_started_again(
    fleet: ComposeFleet, sender: Sender
) -> None:
    for service in SERVICES:
        async with alerts_flow(sender, f"killed-{service}"):
            fleet.docker("kill", fleet.container(service))
            await asyncio.sleep(0.3)
            fleet.docker("start", fleet.container(service))
    await fleet.until_healthy()
    await assert_promises_kept(fleet, sender)
    await verified(fleet)


@pytest.mark.parametrize("service", ["nats", "postgres"])
async def test_the_log_or_the_ledger_freezes_and_is_killed_while_orders_are_submitted(
    fleet: ComposeFleet, sender: Sender, service: str
) -> None:
    async with alerts_flow(sender, f"frozen-{service}"):
        await fleet.pause(service)
        await asyncio.sleep(FAULT_S)
        fleet.docker("unpause", fleet.container(service))
        await asyncio.sleep(1.0)
        fleet.docker("kill", fleet.container(service))
        await asyncio.sleep(1.0)
        fleet.docker("start", fleet.container(service))
    await fleet.until_healthy()
    await assert_promises_kept(fleet, sender)
    await verified(fleet)


async def test_the_way_from_the_bridge_to_a_node_is_cut(
    fleet: ComposeFleet, sender: Sender
) -> None:
    venue, node = fleet.network("venue"), fleet.container("mt5-node")
    async with alerts_flow(sender, "cut"):
        fleet.docker("network", "disconnect", venue, node)
        await asyncio.sleep(FAULT_S)
        fleet.docker("network", "connect", "--alias", "mt5-node", venue, node)
    await assert_promises_kept(fleet, sender)


async def test_a_full_disk_of_the_log_refuses_and_forgets_nothing(
    fleet: ComposeFleet, sender: Sender
) -> None:
    holder = fleet.container("disk-holder")
    before = len(await fleet.history())
    async with alerts_flow(sender, "full"):
        fleet.docker("exec", holder, "sh", "-c", f"dd if=/dev/zero of={FILLER} bs=64k || true")
        refused = sender.answers[503]
        await until(lambda: sender.answers[503] > refused + 3, "the gateway refuses", 60)
        await fleet.until_unwell("nats")
        fleet.docker("exec", holder, "rm", FILLER)
        fleet.docker("restart", fleet.container("nats"))
    await fleet.until_healthy()
    items = await assert_promises_kept(fleet, sender)
    assert len(items) > before
    await verified(fleet)


async def test_a_token_a_key_and_a_password_are_replaced_and_no_signal_is_lost(
    fleet: ComposeFleet, sender: Sender
) -> None:
    names = ("token:argos", "nats:bridge", "nats:gateway")
    roles = ("postgres:argos_ledger", "postgres:argos_reader")

    async def in_thread(*words: str) -> None:
        await asyncio.to_thread(fleet.compose, *words)

    async with alerts_flow(sender, "rotated"):
        await asyncio.to_thread(fleet.job, "rotate", *names, *roles)
        await in_thread("kill", "-s", "HUP", "nats", "gateway")
        old, fleet.token = fleet.token, await asyncio.to_thread(fleet.job, "token", "argos")
        assert fleet.token != old
        await in_thread("restart", "bridge", "gateway")
        await in_thread("up", "-d", "--no-deps", "migrations")
        await asyncio.to_thread(fleet.docker, "wait", fleet.container("migrations"))
        await in_thread("restart", "reconciler", "monitor")  # they come in with the new passwords
        await asyncio.to_thread(fleet.job, "retire", *names)
        await in_thread("kill", "-s", "HUP", "nats", "gateway")
    await fleet.until_healthy()
    assert sender.answers[401] == 0
    await assert_promises_kept(fleet, sender)
    stranger = Sender(fleet)
    fleet.token, newest = old, fleet.token
    answer = await stranger.once(alert("with the old token"))
    fleet.token = newest
    assert answer is not None
    assert answer.status == 401
    await verified(fleet)


def test_no_secret_shows_in_images_environments_logs_or_inspections(fleet: ComposeFleet) -> None:
    reading = (
        "import pathlib; print('\\n'.join(p.read_text() for p in pathlib.Path('/volumes').rglob('*')"
        " if p.is_file() and p.suffix != '.conf' and 'secrets' in p.parts))"
    )
    words = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "python", "secrets", "-c", reading)
    kept = {
        word.rpartition(":")[2]
        for word in fleet.compose(*words).stdout.split()
        if len(word.rpartition(":")[2]) >= 16
    }
    assert len(kept) > 10
    containers = fleet.compose("--profile", "tools", "ps", "-a", "-q").stdout.split()
    image = settings()["ARGOS_IMAGE"]
    shown = "\n".join(
        [
            fleet.docker("inspect", *containers),
            fleet.docker("image", "inspect", image),
            fleet.docker("history", "--no-trunc", image),
            fleet.compose("logs", "--no-color").stdout,
            fleet.compose("--profile", "tools", "config").stdout,
            *(
                fleet.docker("exec", fleet.container(service), "sh", "-c", "tr '\\0' '\\n' </proc/1/environ")
                for service in SERVICES
            ),
            fleet.docker(
                "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c",
                "find / -xdev -type f \\( -name '*.nk' -o -name '*.token' -o -name pgpass"
                " -o -name '*password' \\) -path '*secrets*' 2>/dev/null | xargs -r cat",
            ),
        ]
    )  # fmt: skip
    assert [secret[:4] + "…" for secret in kept if secret in shown] == []


def test_it_stays_small(fleet: ComposeFleet) -> None:
    names = [fleet.container(service) for service in ("nats", "postgres", *SERVICES)]
    used = fleet.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *names)
    units = {"KiB": 10, "MiB": 20, "GiB": 30}
    sizes = [line.split(" / ")[0] for line in used.splitlines()]
    total = sum(float(each[:-3]) * (1 << units[each[-3:]]) for each in sizes)
    assert 0 < total < MEMORY_MAX, used
    image, base = (
        int(fleet.docker("image", "inspect", "--format", "{{.Size}}", settings()[name]))
        for name in ("ARGOS_IMAGE", "PYTHON_IMAGE")
    )
    assert image - base < LAYERS_MAX


async def test_down_and_up_again_loses_nothing(fleet: ComposeFleet, sender: Sender) -> None:
    before = [(item.entry.sequence, item.entry.data) for item in await fleet.history()]
    # The small disk of these tests is gone with its last container; its holder stays.
    services = [
        name
        for name in fleet.compose("config", "--services").stdout.split()
        if name != "disk-holder"
    ]
    fleet.compose("rm", "--stop", "--force", *services)
    fleet.up()
    items = await fleet.history()
    assert [(item.entry.sequence, item.entry.data) for item in items[: len(before)]] == before
    await sender.send(alert("after up again", "buy", SCALPER))
    items = await assert_promises_kept(fleet, sender)
    report = replay_record(items)
    assert report.passed, report.difference
    await verified(fleet)
