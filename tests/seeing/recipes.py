"""The recipes of docs/nats.md: taken from the page, run as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from argos_cli.fleet.supervisor import EmbeddedFleet

from tests.seeing.programs import ROOT, nats_cli

PAGE = ROOT / "docs/nats.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_S = 30


@dataclass(frozen=True, slots=True)
class Ran:
    """How a recipe ended: its exit code, and everything it said."""

    code: int
    said: str


def recipes() -> list[str]:
    """Every shell block of the page, in its order."""
    return BLOCK.findall(PAGE.read_text("utf-8"))


async def run(recipe: str, fleet: EmbeddedFleet, home: Path) -> Ran:
    """Run one in a shell of its own, with the commands of this checkout."""
    paths = [str(nats_cli().parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euc",
        recipe,
        env={
            "PATH": os.pathsep.join(paths),
            "HOME": str(home),
            "NO_COLOR": "1",
            "ARGOS_STATE": str(fleet.folder),
            "NATS_URL": "" if "NATS_URL=" in recipe else fleet.urls["nats"],
            "NATS_MONITOR_URL": fleet.urls["nats_monitor"],
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(RUN_S):
        said, _ = await process.communicate()
    return Ran(process.returncode or 0, said.decode("utf-8", "replace"))
