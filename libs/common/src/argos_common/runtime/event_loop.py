"""Which event loop runs a service: uvloop where it exists, the standard one elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_loop(work: Coroutine[object, object, T]) -> T:
    """Run `work` to its end in a new event loop."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # not made for Windows

    return uvloop.run(work)
