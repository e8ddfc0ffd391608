"""`argos up` as a person uses it: Ctrl-C ends it cleanly, also while it starts; then it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from argos_cli.fleet.state_folder import last_record
from argos_common.domain.order import OrderFilled, OrderSubmitting
from argos_common.domain.verdict import Decision, Effect, VerdictGiven

from tests.integration.command import Up, argos, argos_up, at_rest, nothing_left, ready, send
from tests.integration.kit import alert, until

pytestmark = pytest.mark.timeout(180)


async def test_an_open_position_and_a_kill_survive_ctrl_c_and_the_next_start(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    async with argos_up(state) as up:
        await ready(up)
        entry = await send(up, alert("before"))
        items = await at_rest(state, entry)
        assert [e.effect for i in items if isinstance(e := i.event, OrderSubmitting)] == [
            Effect.OPEN
        ]
        killed = await asyncio.to_thread(
            argos, "kill", "--state", str(state), "--reason", "drill", "--json"
        )
        assert killed.returncode == 0, killed.stderr
        pids = up.document()["processes"]
        os.kill(up.process.pid, signal.SIGINT)
        assert await up.ended() == 0
        assert "was killed" not in up.told(), "a process did not end by itself"
        assert up.told().rstrip().endswith("stopped")
    assert nothing_left(state, pids) == []

    async with argos_up(state) as up:
        await ready(up)
        barred = await send(up, alert("after"))
        leave = await send(up, alert("leave", "exit"))
        items = await at_rest(state, entry, barred, leave)
    verdicts = {e.cause_id: e for i in items if isinstance(e := i.event, VerdictGiven)}
    assert verdicts[barred].decision is Decision.REFUSED  # type: ignore[index]  # ids are texts
    assert "kill" in [r.rule for r in verdicts[barred].rules if not r.passed]  # type: ignore[index]  # as above
    filled = {e.order_id for i in items if isinstance(e := i.event, OrderFilled) and e.done}
    claims = [e for i in items if isinstance(e := i.event, OrderSubmitting)]
    assert [(e.effect, str(e.trade_id), e.order_id in filled) for e in claims] == [
        (Effect.OPEN, entry, True),
        (Effect.CLOSE, entry, True),
    ]


@pytest.mark.parametrize("moment", ["at once", "log server", "services"])
async def test_ctrl_c_while_it_starts_ends_it_and_leaves_nothing(
    tmp_path: Path, moment: str
) -> None:
    state = tmp_path / "state"

    def reached(up: Up) -> bool:
        record = last_record(state)
        match moment:
            case "at once":
                return "starting the fleet" in up.told()
            case "log server":
                return record is not None and "nats" in record.pids
            case _:
                return record is not None and "risk" in record.pids

    async with argos_up(state) as up:
        await until(lambda: reached(up), moment, 30)
        record = last_record(state)
        os.kill(up.process.pid, signal.SIGINT)
        assert await up.ended() == 0
        assert "Traceback" not in up.told()
        assert up.told().rstrip().endswith("stopped")
    assert nothing_left(state, dict(record.pids) if record else {}) == []
    assert up.data.read_text() == ""
