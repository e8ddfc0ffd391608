"""`python -m tests.integration.tls_callers URL SEED_FILE CA CERT KEY …`: who gets in over TLS.

A process of its own, because the NATS client leaves the sockets of refused handshakes to the
garbage collector. Prints one line for each caller: "in", or the sentence it was told.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.tls import TlsFiles


async def main(url: str, seed: str, *files: str) -> None:
    for number in range(0, len(files), 3):
        tls = TlsFiles(*files[number : number + 3])
        settings = NatsSettings(url=url, name="risk", nkey_seed=seed, tls=tls)
        try:
            connection = await connect(settings, timeout_s=1)
        except OurMistake as error:
            sys.stdout.write(f"{error}\n")
        else:
            sys.stdout.write("in\n")
            await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], read_secret_file(Path(sys.argv[2])).reveal(), *sys.argv[3:]))
