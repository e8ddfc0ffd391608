"""A file system of a few megabytes that can be filled up: a tmpfs in a mount namespace of our own.

Root makes a mount namespace; an ordinary user needs one within a user namespace, which some systems
forbid. Nothing is mounted outside, and what is mounted is gone when the last of us ends.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_RECURSIVE, _PRIVATE = 0x4000, 0x40000
_BLOCK = 64 * 1024
_HINT = ", which root or a system that lets users make them would allow,"


class NotPermitted(Exception):
    """This machine does not let us; the text says what was refused."""


def enter() -> None:
    """Move this process to namespaces of its own. Call before any thread. Raises NotPermitted."""
    if sys.platform != "linux":
        raise NotPermitted("a small disk needs Linux")
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 or not _called("unshare", _NEW_MOUNTS):
        _call("unshare", f"a user and mount namespace{_HINT}", _NEW_USER | _NEW_MOUNTS)
        try:
            Path("/proc/self/setgroups").write_text("deny", "ascii")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", "ascii")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", "ascii")
        except OSError as error:
            raise NotPermitted(f"a user namespace{_HINT} is refused ({error.strerror})") from None
    _call("mount", "a private view of mounts", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)


def mount(place: Path, size_mb: int) -> None:
    """Put a small file system on an empty folder. Raises NotPermitted."""
    options = f"size={size_mb}m,mode=0700".encode()
    _call("mount", "a tmpfs", b"argos-chaos", os.fsencode(place.resolve()), b"tmpfs", 0, options)


def unmount(place: Path) -> None:
    """Take it away, lazily: files that are still open live on until they are closed."""
    _called("umount2", os.fsencode(place.resolve()), 2)


def fill(place: Path) -> Path:
    """Write until there is no room left; the file to remove."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (_BLOCK, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue  # no room for a piece of that size
    return filler


def _called(name: str, *arguments: object) -> bool:
    return bool(getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == 0)


def _call(name: str, what: str, *arguments: object) -> None:
    if not _called(name, *arguments):
        raise NotPermitted(f"{what} is refused ({os.strerror(ctypes.get_errno())})")
