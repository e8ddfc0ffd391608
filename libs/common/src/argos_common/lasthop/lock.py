"""An exclusive lock on a file, held as long as the process lives or until it is released.

The operating system drops it when the process dies, however it dies.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from argos_common.domain.errors import OurMistake

_MARK = b"created\n"


class FileLock:
    """Takes the lock, or raises OurMistake with `sentence` if somebody else holds it.

    The file also remembers whether what it guards was ever created, so that a vanished original is
    told from a new one.
    """

    def __init__(self, path: Path, sentence: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._handle)
        except OSError:
            os.close(self._handle)
            raise OurMistake(sentence) from None

    @property
    def marked(self) -> bool:
        """Whether what the lock guards was created once."""
        os.lseek(self._handle, _MARK_AT, os.SEEK_SET)
        return os.read(self._handle, len(_MARK)) == _MARK

    def mark(self) -> None:
        """What the lock guards exists durably from now on."""
        os.lseek(self._handle, _MARK_AT, os.SEEK_SET)
        os.write(self._handle, _MARK)
        os.fsync(self._handle)

    def release(self) -> None:
        os.close(self._handle)


# Windows locks byte ranges and bars reading them; so the lock is on the first byte and the mark
# stands behind it.
_MARK_AT = 1

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
