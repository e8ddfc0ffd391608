"""Bad days of a state folder: each is one sentence that says what to do, and nothing is defaulted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from argos_cli.fleet import plan
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.reconcile import OrderMatched
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.snapshot import checksum

from tests.integration.command import argos
from tests.integration.kit import (
    FLEET_TOML,
    FREE,
    SCALPER,
    STACKER,
    Sender,
    alert,
    assert_promises_kept,
    running,
    until,
)

pytestmark = pytest.mark.timeout(180)
PAGE = 4096
SNAPSHOTS = ("risk", "bridge")
# Even root may then only write where the folder lets it. In a process of its own and not between
# fork and exec: gRPC's threads live in this one, and its fork handlers may end the child.
AS_NOBODY_SPECIAL = """
import ctypes, os, sys
prctl = ctypes.CDLL(None).prctl
DROP_CAPABILITY, OVERRIDE, READ_ANYTHING = 24, 1, 2
prctl(DROP_CAPABILITY, OVERRIDE)
prctl(DROP_CAPABILITY, READ_ANYTHING)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped fleet that holds a position: to be copied, then damaged."""
    folder = tmp_path_factory.mktemp("lived") / "state"
    asyncio.run(live_in(folder))
    return folder


async def live_in(folder: Path) -> None:
    async with running(folder) as (fleet, _):
        sender = Sender(fleet)
        await sender.send(alert("first", "buy", SCALPER))
        await sender.send(alert("first-spot", "buy", STACKER))
        await assert_promises_kept(fleet, sender)


@pytest.fixture
def state(lived_in: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "state"
    shutil.copytree(lived_in, copy)
    return copy


def only(*names: str) -> plan.Planner:
    """Just these processes, and the log."""

    def planner(
        fleet: Fleet, state: Path, env: dict[str, str], ports: Mapping[str, int]
    ) -> tuple[plan.Process, ...]:
        return tuple(p for p in plan.processes(fleet, state, env, ports) if p.name in names)

    return planner


async def what_is_said(state: Path, words: str, *names: str) -> list[str]:
    """Start a fleet of just these; once these words are said, stop it. All that was said."""
    said: list[str] = []
    fleet = EmbeddedFleet(FLEET_TOML, state, ports=FREE, say=said.append, planner=only(*names))
    starting = asyncio.create_task(fleet.start())
    try:
        await until(lambda: any(words in text for text in said), words)
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await fleet.stop()
    return [text for text in said if words in text]


@pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities as Linux does")
def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
    found = argos(
        "up", "--config", str(FLEET_TOML), "--state", str(folder),
        through=(sys.executable, "-c", AS_NOBODY_SPECIAL),
    )  # fmt: skip
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert last.startswith(f"the state folder {folder} cannot be written (Permission denied)")
    assert last.endswith("make it writable, or choose another with --state")
    assert list(folder.iterdir()) == []


def test_a_taken_port_is_named_with_the_way_to_choose_another(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for name in ("gateway", "nats"):
            options = ("--port", "gateway=0", "--port", "monitor=0", "--port", f"{name}={port}")
            found = argos(
                "up", "--config", str(FLEET_TOML), "--state", str(tmp_path / "s"), *options
            )
            assert found.returncode == 1
            last = found.stderr.splitlines()[-1]
            assert last.startswith(f"port {port} on 127.0.0.1 for {name} is taken: stop what uses")
            assert f"--port {name}=0" in last


def test_every_mistake_of_the_configuration_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    text = FLEET_TOML.read_text(encoding="utf-8")
    text = text.replace("port = 8700", 'port = "high"').replace("quantity = 0.10", "quantity = -1")
    text = text.replace('node = "mt5"\nkind = "hedging"', 'node = "mt6"\nkind = "hedgy"')
    text = text.replace("daily_loss_max = 2_000\n", "").replace("[nodes.paper]", "[nods.paper]")
    file.write_text(text, encoding="utf-8")
    lines = text.splitlines()

    def line(words: str) -> int:
        return next(n for n, each in enumerate(lines, 1) if each.startswith(words))

    checked = argos("config", "check", "--file", str(file))
    started = argos("up", "--config", str(file), "--state", str(tmp_path / "s"))
    assert (checked.returncode, started.returncode) == (2, 2)
    for words in ('port = "high"', "quantity = -1", 'node = "mt6"', 'kind = "hedgy"', "[nods."):
        assert f"{file}:{line(words)}: " in checked.stdout, words
        assert f"{line(words)}: " in started.stderr, words
    assert "daily_loss_max" in checked.stdout
    assert "Traceback" not in checked.stderr + started.stderr


def of_another_log(text: str) -> bytes:
    """The same snapshot, whole, of generation g0."""
    first, _, body = text.partition("\n")
    header = json.loads(first) | {"generation": "g0"}
    header["sha256"] = checksum("g0", header["sequence"], header["schema"], body.removesuffix("\n"))
    return f"{json.dumps(header)}\n{body}".encode()


async def test_a_bad_snapshot_is_said_in_a_sentence_and_the_log_is_read_again(
    state: Path,
) -> None:
    folder = state / "snapshots"
    whole = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in SNAPSHOTS}
    damages: tuple[tuple[str, Callable[[str], bytes]], ...] = (
        ("has no readable header", lambda _: b"this is no snapshot"),
        ("is damaged or incomplete", lambda _: b"\x00 nor is this \xff"),
        ("is of log generation g0, not g1", of_another_log),
    )
    async with running(state) as (fleet, _):
        for why, damage in damages:
            for name in SNAPSHOTS:
                (folder / f"{name}.json").write_bytes(damage(whole[name]))
                before = fleet.kill(name)
                await until(lambda: fleet.pid(name) not in {0, before}, f"{name} is started again")  # noqa: B023  # used at once
            await fleet.wait_ready(*SNAPSHOTS, timeout_s=40)
            for name in SNAPSHOTS:
                told = (state / "logs" / f"{name}.out").read_text(encoding="utf-8").splitlines()
                sentences = [each for each in told if f"the snapshot {name}.json {why}" in each]
                assert len(sentences) == 1
                assert "it is ignored and the log is read again" in sentences[0]
        sender = Sender(fleet)
        await sender.send(alert("leave", "exit", SCALPER))
        items = await assert_promises_kept(fleet, sender)
    assert sum(isinstance(item.event, OrderMatched) for item in items) == 3


def damage_header(ledger: Path) -> None:
    ledger.write_bytes(b"this is no database" * 300)


def damage_pages(ledger: Path) -> None:
    content = bytearray(ledger.read_bytes())
    for page in range(3, len(content) // PAGE, 2):
        content[page * PAGE : page * PAGE + 64] = b"\xa5" * 64
    ledger.write_bytes(content)


def make_foreign(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute("UPDATE checkpoint SET hash = ?", ("ab" * 32,))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (damage_header, "is damaged"),
        (damage_pages, "is damaged"),
        (make_foreign, "was made from another log"),
    ],
)
async def test_a_bad_ledger_is_never_replaced_by_itself_and_a_rebuild_is_offered(
    state: Path, damage: Callable[[Path], None], why: str
) -> None:
    ledger = state / "ledger.db"
    damage(ledger)
    before = ledger.read_bytes()
    offers = await what_is_said(state, why, "reconciler")
    assert all("`argos ledger rebuild`" in text for text in offers)
    assert ledger.read_bytes()[: 4 * PAGE] == before[: 4 * PAGE], "somebody wrote into it"

    cured = argos("ledger", "rebuild", "--state", str(state))
    assert cured.returncode == 0, cured.stderr
    verified = argos("verify", "--state", str(state))
    assert verified.returncode == 0, verified.stdout


async def test_a_bad_journal_stops_its_node_and_is_never_replaced_by_an_empty_one(
    state: Path,
) -> None:
    journal = state / "journals" / "mt5-hedge.sqlite"
    garbage = b"this is no journal either" * 300
    journal.write_bytes(garbage)
    node = ("sim-mt5", "mt5-node-mt5")
    words = f"the journal of account mt5-hedge at {journal} cannot be read"
    assert "put back the file" in (await what_is_said(state, words, *node))[0]
    assert journal.read_bytes() == garbage
    journal.unlink()
    await what_is_said(state, "is gone or empty, though it was there before", *node)
    assert not journal.exists()


async def test_a_second_fleet_on_the_folder_refuses_and_names_the_holder(tmp_path: Path) -> None:
    async with running(tmp_path / "state", planner=only("risk")) as (fleet, _):
        second = argos("up", "--config", str(FLEET_TOML), "--state", str(fleet.folder))
        assert second.returncode == 1
        assert second.stderr.splitlines()[-1] == (
            f"another fleet uses {fleet.folder} (process {os.getpid()}): stop it, or choose another"
            " folder with --state"
        )
        assert [each.phase for each in fleet.state] == ["ready", "ready"]
