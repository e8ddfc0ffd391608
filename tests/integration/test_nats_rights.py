"""Every user of NATS may do what its service does and nothing else, by the file that Compose mounts."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from argos_cli.staging.secret_files import NATS_USERS
from argos_common.domain.errors import OurMistake
from argos_common.runtime.log import Append, CreateOnce, Mine, Unconditional
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsEvents, NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream, verify_sync_always

from tests.integration.kit import FLEET_TOML, until
from tests.integration.secured_nats import SecuredNats, secured_nats

READERS = {"gateway", "risk", "bridge", "reconciler", "monitor", "operator"}
EVERYONE = {*READERS, "provision"}
"""Of the fleet's own account; `system` is in the servers' one, where there is no log."""
NOBODY: set[str] = set()
LAST = "last.of.all"
"""Refused to everyone, in the order of asking: what was refused before it has been heard."""

PUBLISH: dict[str, set[str]] = {
    "argos.v1.signal.tradingview.s1": {"gateway"},
    "argos.v1.intake.tradingview.s1": {"gateway"},
    "argos.v1.verdict.mt5-hedge": {"risk"},
    "argos.v1.control.mt5-hedge": {"risk", "operator"},  # a person may kill without asking risk
    "argos.v1.order.mt5-hedge.o1.1": {"bridge"},
    "argos.v1.turn.mt5-net": {"bridge"},
    "argos.v1.venue.mt5-hedge.deal.d1": {"bridge"},
    "argos.v1.reconcile.mt5-hedge.match.m1": {"reconciler"},
    "argos.v1.alert.a1": {"monitor"},
    "argos.v1.incident.i1": {"monitor"},
    "argos.v1.job.j1": {"monitor"},
    "argos.v1.something.new": NOBODY,
    "argos.inject.argos": {"operator"},
    "argos.command": {"operator"},
    "argos.lease.mt5-hedge": {"bridge"},
    "argos.facts.mt5-hedge": {"bridge"},
    "argos.strategy.trend": {"gateway"},
    **{f"argos.beat.{name}": {name} for name in READERS - {"operator"}},
    **{f"_INBOX_{name}.x.y": NOBODY for name in NATS_USERS},
    "$JS.API.STREAM.CREATE.ARGOS_g1": {"provision"},
    "$JS.API.STREAM.INFO.ARGOS_g1": EVERYONE,
    "$JS.API.STREAM.UPDATE.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.DELETE.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.PURGE.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.MSG.DELETE.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.SNAPSHOT.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.RESTORE.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.LEADER.STEPDOWN.ARGOS_g1": NOBODY,
    "$JS.API.STREAM.MSG.GET.ARGOS_g1": READERS,
    "$JS.API.CONSUMER.CREATE.ARGOS_g1.c1": READERS,
    "$JS.API.CONSUMER.DELETE.ARGOS_g1.c1": READERS,
    "$JS.API.CONSUMER.DURABLE.CREATE.ARGOS_g1.c1": NOBODY,
    "$JS.API.CONSUMER.LIST.ARGOS_g1": {"operator"},
    "$JS.API.CONSUMER.INFO.ARGOS_g1.c1": {"operator"},
    "$JS.API.STREAM.LIST": {"operator"},
    "$JS.FC.ARGOS_g1.c1.x": READERS,
    "$SYS.REQ.SERVER.PING": {"system"},
    "$SYS.REQ.SERVER.PING.CONNZ": {"system"},
    "$SYS.REQ.SERVER.PING.KICK": NOBODY,
    "$SYS.REQ.SERVER.NAME.RELOAD": NOBODY,
    "$SYS.REQ.CLAIMS.UPDATE": NOBODY,
    "$SYS.REQ.USER.INFO": {"operator", "system"},  # who am I, which the NATS CLI asks
}
SUBSCRIBE: dict[str, set[str]] = {
    **{f"_INBOX_{name}.x.*": {name} for name in NATS_USERS},
    "_INBOX.>": NOBODY,
    ">": NOBODY,
    "argos.>": NOBODY,
    "argos.v1.>": NOBODY,
    "argos.v1.signal.*.*": NOBODY,  # the log is read, not overheard
    "argos.inject.*": {"gateway"},
    "argos.command": {"risk"},
    "argos.lease.*": {"risk"},
    "argos.facts.*": {"risk", "monitor"},
    "argos.strategy.*": {"risk", "monitor"},
    "argos.beat.*": {"risk", "monitor", "operator"},
    "$JS.>": NOBODY,
    "$SYS.>": NOBODY,
}


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[SecuredNats]:
    async with secured_nats(tmp_path) as server:
        yield server


@pytest.fixture
async def logged(nats: SecuredNats) -> SecuredNats:
    """With the log's stream, made by the one user who may."""
    await ensure_stream(await nats.connect("provision"))
    await verify_sync_always(nats.monitor_url)
    return nats


async def nothing(*_: object) -> None:
    pass


@pytest.mark.parametrize("user", NATS_USERS)
async def test_a_user_is_refused_every_subject_that_is_not_its_own(
    nats: SecuredNats, user: str
) -> None:
    refused: list[str] = []
    connection = await nats.connect(user, NatsEvents(violation=refused.append))
    for subject in [*PUBLISH, LAST]:
        await connection.publish(subject, b"")
    await until(lambda: any(LAST in each for each in refused), "the last refusal is heard")
    said = "\n".join(refused).lower()
    assert {s for s in PUBLISH if f'publish to "{s.lower()}"' not in said} == {
        subject for subject, owners in PUBLISH.items() if user in owners
    }
    refused.clear()
    for subject in [*SUBSCRIBE, LAST]:
        await connection.subscribe(subject, nothing)
    await until(lambda: any(LAST in each for each in refused), "the last refusal is heard")
    said = "\n".join(refused).lower()
    assert {s for s in SUBSCRIBE if f'subscription to "{s.lower()}"' not in said} == {
        subject for subject, owners in SUBSCRIBE.items() if user in owners
    }


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        (next(iter(owners)), subject)
        for subject, owners in PUBLISH.items()
        if subject.startswith("argos.v1.") and len(owners) == 1
    ],
)
async def test_a_service_appends_what_it_owns_and_reads_the_log(
    logged: SecuredNats, user: str, subject: str
) -> None:
    refused: list[str] = []
    log = NatsLog(await logged.connect(user, NatsEvents(violation=refused.append)))
    assert isinstance(
        await log.append(Append(subject=subject, data=b"x", condition=CreateOnce())), Mine
    )
    assert (await log.last(subject)) is not None
    async for entry in log.read(0):
        assert (entry.subject, entry.data) == (subject, b"x")
        break
    assert refused == []


async def test_an_answer_reaches_only_who_asked(logged: SecuredNats) -> None:
    risk, bridge, operator = [
        NatsBus(await logged.connect(name)) for name in ("risk", "bridge", "operator")
    ]

    async def grant(_: str, asked: bytes) -> bytes:
        return b"granted " + asked

    async def silent(_: str, __: bytes) -> None:
        return None

    await risk.subscribe("argos.lease.*", grant)
    await risk.subscribe("argos.command", silent)  # as risk does: kills do not queue behind others
    await risk.subscribe("argos.command", grant)
    assert await bridge.request("argos.lease.mt5-hedge", b"a lease", 2) == b"granted a lease"
    assert await operator.request("argos.command", b"a kill", 2) == b"granted a kill"


async def test_a_person_kills_without_risk(logged: SecuredNats) -> None:
    log = NatsLog(await logged.connect("operator"))
    kills = [
        Append(subject=f"argos.v1.control.{account}", data=b"kill", condition=Unconditional())
        for account in ("mt5-hedge", "mt5-net")
    ]
    assert isinstance(await log.append_batch(kills), Mine)


async def test_nobody_comes_in_without_a_key_or_with_a_wrong_one(nats: SecuredNats) -> None:
    for settings in (
        NatsSettings(url=nats.url, name="risk"),
        NatsSettings(url=nats.url, name="risk", user="risk", password="risk"),  # a wrong one
        NatsSettings(url=nats.url, name="risk", nkey_seed=nats.secrets._seed()),  # nobody's
    ):
        with pytest.raises(OurMistake, match="refuses user"):
            await connect(settings, timeout_s=5)
    with pytest.raises(OurMistake, match="no nkey seed"):
        await connect(NatsSettings(url=nats.url, name="risk", nkey_seed="SUX"), timeout_s=5)


async def test_a_key_is_replaced_while_its_service_goes_on(logged: SecuredNats) -> None:
    ended = asyncio.Event()
    before = await logged.connect("risk", NatsEvents(closed=ended.set))
    log, old = NatsLog(before), logged.seed("risk")
    numbers = itertools.count()

    async def append(to: NatsLog) -> object:
        subject = f"argos.v1.verdict.account-{next(numbers)}"
        return await to.append(Append(subject=subject, data=b"x", condition=CreateOnce()))

    assert logged.secrets.rotate("nats:risk").made == ("nats:risk",)
    assert logged.seed("risk") != old
    await logged.reload()
    assert isinstance(await append(log), Mine)
    after = NatsLog(await logged.connect("risk"))
    assert isinstance(await append(after), Mine)
    assert isinstance(await append(NatsLog(await logged.connect("risk", seed=old))), Mine)

    logged.secrets.retire("nats:risk")
    await logged.reload()
    await until(ended.is_set, "the connection with the old key is closed", 5)
    assert isinstance(await append(after), Mine)
    with pytest.raises(OurMistake, match="refuses user"):
        await logged.connect("risk", seed=old)


async def test_beyond_one_host_both_sides_prove_themselves(tmp_path: Path) -> None:
    authority, another = trustme.CA(), trustme.CA()
    folder = tmp_path / "tls"
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    another.cert_pem.write_to_path(str(folder / "another.pem"))
    for name, certificate in (
        ("server", authority.issue_cert("localhost")),
        ("risk", authority.issue_cert("risk.argos.internal")),
        ("stranger", another.issue_cert("risk.argos.internal")),
    ):
        certificate.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))

    def files(ca: str, name: str) -> tuple[str, str, str]:
        mine = (str(folder / f"{name}.pem"), str(folder / f"{name}.key")) if name else ("", "")
        return (str(folder / ca), *mine)

    callers = {
        "both right": files("ca.pem", "risk"),
        "a server of another authority": files("another.pem", "risk"),
        "no certificate": files("ca.pem", ""),
        "a certificate of another authority": files("ca.pem", "stranger"),
    }
    async with secured_nats(tmp_path, config="tls.conf") as server:
        words = [word for each in callers.values() for word in each]
        seed_file = str(tmp_path / "risk/secrets/nats.nk")
        url = server.url.replace("nats:", "tls:")
        asked = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tests.integration.tls_callers", url, seed_file, *words],
            capture_output=True, text=True, timeout=30, check=True, cwd=FLEET_TOML.parent,
        )  # fmt: skip
    told = dict(zip(callers, asked.stdout.splitlines(), strict=True))
    assert told.pop("both right") == "in"
    assert all("did not answer" in each for each in told.values()), told
