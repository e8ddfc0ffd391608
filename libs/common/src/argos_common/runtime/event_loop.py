"""Which event loop runs a service: uvloop where it exists, the standard one elsewhere."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")
_COLLECT_AFTER = (20_000, 20, 50)


def run_loop(work: Coroutine[object, object, T]) -> T:
    """Run `work` to its end in a new event loop.

    What is there already (modules, for the most part) is no longer looked through for garbage, and
    the rest less often: the default is made for programs that keep little.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # not made for Windows

    return uvloop.run(work)
