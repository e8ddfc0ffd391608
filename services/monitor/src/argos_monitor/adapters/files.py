"""Files whose age matters: backups that should be made, certificates that will end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.logs import Logger
from argos_common.runtime.metrics import Metrics

from argos_monitor.core.certificate import expires_ns

LOOK_EVERY_S = 60.0


async def watch_files(
    backups: Path | None,
    certificates: Sequence[Path],
    clock: Clock,
    metrics: Metrics,
    logger: Logger,
) -> None:
    """For ever. A backup folder without a file is as old as time.

    A folder among the certificates stands for every `.pem` in it.
    """
    told: set[str] = set()
    while True:
        now_ns = clock.now_ns()
        if backups is not None:
            newest_ns = await asyncio.to_thread(_newest_ns, backups)
            age = metrics.backup_age_seconds.labels(str(backups))
            age.set((now_ns - newest_ns) / NS_PER_S)
        for path in await asyncio.to_thread(_files, certificates):
            try:
                left_ns = await asyncio.to_thread(_expires_ns, path) - now_ns
            except OurMistake as error:
                left_ns = 0
                if str(error) not in told:
                    told.add(str(error))
                    logger.warning(str(error))
            metrics.certificate_expires_seconds.labels(str(path)).set(left_ns / NS_PER_S)
        await clock.sleep(LOOK_EVERY_S)


def _files(paths: Sequence[Path]) -> list[Path]:
    return [
        each for path in paths for each in (sorted(path.glob("*.pem")) if path.is_dir() else [path])
    ]


def _newest_ns(folder: Path) -> int:
    try:
        return max((each.stat().st_mtime_ns for each in folder.iterdir()), default=0)
    except OSError:
        return 0


def _expires_ns(path: Path) -> int:
    try:
        text = path.read_text("ascii")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(text[begin:end])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds none"
        raise OurMistake(f"the certificate {path} cannot be read ({reason})") from None
    return expires_ns(der)
