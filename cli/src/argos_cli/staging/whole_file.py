"""Writing a file that others read: it is there as a whole, or as it was before."""

from __future__ import annotations

import os
from pathlib import Path

from argos_common.domain.errors import OurMistake


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write `text` with the rights of `mode`; nobody else could read it meanwhile. Raises OurMistake."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise OurMistake(
            f"{path} cannot be written ({error.strerror}): its folder must belong to this user"
        ) from None
