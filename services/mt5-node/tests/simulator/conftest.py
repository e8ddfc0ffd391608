"""Fixtures of the simulator's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argos_mt5_node.simulator.harness import ServerProcess, VirtualRig


@pytest.fixture
def rig() -> VirtualRig:
    return VirtualRig()


@pytest.fixture
def deal() -> Callable[..., dict[str, Any]]:
    """A market request: buy 0.10 EURUSD, IOC, unless told otherwise."""

    def build(**changes: Any) -> dict[str, Any]:
        request: dict[str, Any] = {
            "action": 1,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": 0,
            "type_filling": 1,
            "magic": 77,
            "comment": "v1abc",
        }
        return request | changes

    return build


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "sim")
    process.start()
    yield process
    process.kill()
