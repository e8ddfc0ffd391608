"""The CLI with the operator's own key on the staging server's configuration: it may look."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from argos_common.runtime.log import Append, CreateOnce, Mine
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream

from tests.integration.secured_nats import SecuredNats, secured_nats
from tests.seeing.programs import nats_cli

LOOKS = {
    "stream info ARGOS_g1": "Discard Policy: New",
    "stream subjects ARGOS_g1": "argos.v1.verdict.mt5-net",
    "stream get ARGOS_g1 --last-for argos.v1.verdict.mt5-net": "Subject argos.v1.verdict.mt5-net",
    "stream get ARGOS_g1 1 --json": '"seq": 1,',
    "consumer report ARGOS_g1": "risk-",
    "rtt": "nats://localhost",
    "server check jetstream": "OK JetStream",
}


ASKS = {
    "server list 1": "argos-1",
    "server report connections": "risk",
    "server report jetstream": "argos-1",
    "server info": "argos-1",
}
"""What the user of the system account is for."""
CHANGES = ("server request kick 5 argos-1", "server config reload argos-1 -f")


async def run(
    nats: SecuredNats, arguments: str, home: Path, user: str = "operator"
) -> tuple[int, str]:
    seed = nats.folder / f"{user}/secrets/nats.nk"
    process = await asyncio.create_subprocess_exec(
        nats_cli(), "--server", nats.url, "--nkey", seed, "--inbox-prefix", f"_INBOX_{user}",
        *arguments.split(),
        env=os.environ | {"HOME": str(home), "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(20):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.timeout(120)
async def test_the_operators_key_may_look_at_everything_and_change_nothing(tmp_path: Path) -> None:
    async with secured_nats(tmp_path) as nats:
        await ensure_stream(await nats.connect("provision"))
        log = NatsLog(await nats.connect("risk"))
        written = Append(subject="argos.v1.verdict.mt5-net", data=b"x", condition=CreateOnce())
        assert isinstance(await log.append(written), Mine)
        reading = asyncio.ensure_future(anext(aiter(log.read(0))))
        assert (await reading).sequence == 1

        for arguments, shown in LOOKS.items():
            code, said = await run(nats, arguments, tmp_path)
            assert code == 0, f"{arguments}: {said}"
            assert shown in said, f"{arguments}: {said}"
        for arguments in ("stream purge ARGOS_g1 -f", "stream rm ARGOS_g1 -f"):
            code, said = await run(nats, arguments, tmp_path)
            assert code != 0, f"{arguments}: {said}"
        assert (await log.status()).last_sequence == 1


@pytest.mark.timeout(180)
async def test_the_system_key_asks_the_server_and_neither_reads_the_log_nor_changes_anything(
    tmp_path: Path,
) -> None:
    async with secured_nats(tmp_path) as nats:
        await ensure_stream(await nats.connect("provision"))
        risk = await nats.connect("risk")
        for arguments, shown in ASKS.items():
            code, said = await run(nats, arguments, tmp_path, "system")
            assert code == 0, f"{arguments}: {said}"
            assert shown in said, f"{arguments}: {said}"
        for arguments in (*CHANGES, "stream info ARGOS_g1"):
            _, said = await run(nats, arguments, tmp_path, "system")
            assert "ermission" in said or "timeout" in said or "disabled" in said, said
        assert risk.is_connected
