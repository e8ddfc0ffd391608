"""A log server's disk is lost: an older copy is put back, and the fleet goes on without doubling.

Real processes, a real log server, the simulated broker's own record. The procedure is the command.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from argos_cli.client.history import Recorded
from argos_cli.client.opened import open_fleet
from argos_cli.commands.verify import verify_fleet
from argos_common.domain.control import KillEngaged
from argos_common.domain.order import OrderSubmitting
from argos_common.domain.restore import LogRestored
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import Decision, Origin, VerdictGiven

from tests.integration.command import argos
from tests.integration.kit import (
    STACKER,
    Sender,
    VenueRecord,
    alert,
    running,
    until_at_rest,
    venue_record,
)

pytestmark = pytest.mark.timeout(300)
LEDGER = ("ledger.db", "ledger.db-wal", "ledger.db-shm")


def copy_away(state: Path, backup: Path) -> None:
    """The log, and the ledger, of a stopped fleet."""
    backup.mkdir()
    shutil.copytree(state / "nats", backup / "nats")
    for name in LEDGER:
        if (state / name).exists():
            shutil.copy2(state / name, backup / name)


def put_back(state: Path, backup: Path, *, ledger: bool) -> None:
    """The log's disk is lost, the copy is what there is; with it the ledger's, if that is lost too."""
    shutil.rmtree(state / "nats")
    shutil.copytree(backup / "nats", state / "nats")
    for name in LEDGER if ledger else ():
        (state / name).unlink(missing_ok=True)
        if (backup / name).exists():
            shutil.copy2(backup / name, state / name)


async def restored(state: Path, *options: str) -> dict[str, Any]:
    """What the command says."""
    done = await asyncio.to_thread(
        argos, "log", "restore", "--state", str(state), "--reason", "the disk died",
        "--actor", "ada", "--json", *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("ledger_too", [False, True], ids=["ledger is newer", "ledger is as old"])
async def test_after_a_restore_nothing_is_placed_twice_and_nothing_risky_before_a_resume(
    tmp_path: Path, *, ledger_too: bool
) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    known = alert("known")
    async with running(state) as (fleet, _):
        sender = Sender(fleet)
        await until_at_rest(fleet, [await sender.send(known)])
    copy_away(state, backup)

    in_the_window = alert("in the window", "buy", STACKER)
    async with running(state) as (fleet, _):
        sender = Sender(fleet)
        lost = await sender.send(in_the_window)
        items = await until_at_rest(fleet, [lost])
        orders = {e.order_id for i in items if isinstance(e := i.event, OrderSubmitting)}
        before = venue_record(fleet)
        reached = len(items)
    put_back(state, backup, ledger=ledger_too)

    told = await restored(state)
    assert (told["generation"], told["before"]) == ("g2", "g1")
    if ledger_too:
        assert told["last_known"] < reached
        assert set(told["put_back"]) < orders
        assert len(told["put_back"]) == 1
    else:
        assert told["last_known"] >= reached - 1  # the ledger trails by a moment
        assert told["from_ledger"] > 0

    async with running(state) as (fleet, _):
        sender = Sender(fleet)
        for body in (known, in_the_window):  # a sender that never heard an answer
            await sender.once(body)
        barred = await sender.send(alert("after"))
        items = await until_at_rest(fleet, [barred])
        _holds(items, barred, lost, put_back=ledger_too)
        assert _tags(venue_record(fleet)) == _tags(before), "the restore placed something"
        resumed = await asyncio.to_thread(
            argos, "resume", "--state", str(state), "--reason", "looked", "--actor", "ada", "--yes"
        )
        assert resumed.returncode == 0, resumed.stderr
        again = await sender.send(alert("again"))
        items = await until_at_rest(fleet, [again])
        there = _tags(venue_record(fleet))
        assert len(there) == len(_tags(before)) + 1, "one new order, and no old one again"
        assert max(there.values()) == 1
        async with open_fleet(state) as opened:
            checks = await verify_fleet(opened, wait_s=30)
        assert [(check.name, check.broken) for check in checks if not check.passed] == []
        dealt = [e.deal.order_id for i in items if isinstance(e := i.event, DealRecorded)]
        assert orders <= set(dealt), "every order has its deals on record"


def _tags(record: VenueRecord) -> Counter[str]:
    return Counter(record.tags)


def _holds(items: list[Recorded], barred: str, lost: str, *, put_back: bool) -> None:
    """What the log says once the restored fleet is at rest: killed, and every cause judged once."""
    events = [item.event for item in items]
    ends = [e for e in events if isinstance(e, LogRestored)]
    assert [(e.actor, e.reason) for e in ends] == [("ada", "the disk died")]
    kills = {e.account for e in events if isinstance(e, KillEngaged)}
    assert kills == {"mt5-hedge", "mt5-net", "paper-spot"}
    verdicts = [e for e in events if isinstance(e, VerdictGiven)]
    after = [e for e in verdicts if e.cause_id == barred]
    assert after
    assert {e.decision for e in after} == {Decision.REFUSED}
    of_lost = [e.origin for e in verdicts if e.cause_id == lost]
    assert of_lost == [Origin.RESTORE if put_back else Origin.SIGNAL]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nothing", "nothing needs a restore: neither ledger nor journals know more than the log"),
        ("no folder", "there is no folder"),
        ("no reason", "--reason is empty"),
        ("no journal", "there is no journal"),
    ],
)
async def test_what_cannot_be_restored_is_one_sentence(
    lived_in: Path, tmp_path: Path, wrong: str, words: str
) -> None:
    state = tmp_path / "state"
    shutil.copytree(lived_in, state)
    options = {
        "nothing": ("--state", str(state), "--reason", "x"),
        "no folder": ("--state", str(tmp_path / "other"), "--reason", "x"),
        "no reason": ("--state", str(state), "--reason", " "),
        "no journal": ("--state", str(state), "--reason", "x", "--journal", str(tmp_path / "j")),
    }
    done = await asyncio.to_thread(argos, "log", "restore", *options[wrong])
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if words in line]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr


async def test_a_running_fleet_is_not_restored_and_an_account_needs_its_journal(
    lived_in: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    shutil.copytree(lived_in, state)
    command = ("log", "restore", "--state", str(state), "--reason", "x", "--anyway")
    async with running(state):
        done = await asyncio.to_thread(argos, *command)
        assert (done.returncode, "stop it first" in done.stderr) == (2, True)
    for path in (*(state / "journals").glob("mt5-net.sqlite*"),):
        path.unlink()
    done = await asyncio.to_thread(argos, *command)
    assert done.returncode == 2
    assert "the node's journal of account mt5-net is not here" in done.stderr
    done = await asyncio.to_thread(argos, *command, "--without-journal", "mt5-net", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["without_journal"] == ["mt5-net"]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped fleet."""
    folder = tmp_path_factory.mktemp("lived") / "state"

    async def live() -> None:
        async with running(folder) as (fleet, _):
            sender = Sender(fleet)
            await until_at_rest(fleet, [await sender.send(alert("first"))])

    asyncio.run(live())
    return folder
