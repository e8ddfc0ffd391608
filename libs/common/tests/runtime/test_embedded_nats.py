"""The embedded server starts, keeps its files to itself, and explains why it does not start."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime import embedded_nats
from argos_common.runtime.embedded_nats import find_binary, start_nats
from argos_common.runtime.provision import verify_sync_always
from argos_common.testing.nats_server import running_nats


async def test_server_is_ready_syncs_always_and_ends_when_told(tmp_path: Path) -> None:
    server = await start_nats(tmp_path / "state", port=0, monitor_port=0)
    try:
        await verify_sync_always(server.monitor_url)
        assert server.url.startswith("nats://127.0.0.1:")
    finally:
        server.stop()
    assert server.process.poll() is not None
    assert (tmp_path / "state" / "jetstream").is_dir()


async def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(OurMistake, match=f"port {port} on 127.0.0.1 is taken"):
            await start_nats(tmp_path, port=port, monitor_port=0)


async def test_second_server_on_the_same_files_is_refused(tmp_path: Path) -> None:
    async with running_nats(tmp_path) as first:
        with pytest.raises(OurMistake, match="already runs on"):
            await start_nats(tmp_path, port=0, monitor_port=0)
        await first.kill()
        await first.start()


async def test_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(OurMistake, match="cannot be written"):
        await start_nats(tmp_path / "state", port=0, monitor_port=0)


async def test_server_that_ends_at_once_tells_why(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("in the way")
    with pytest.raises(OurMistake, match="storage directory is not a directory"):
        await start_nats(tmp_path, port=0, monitor_port=0)


def test_missing_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.access(find_binary(), os.X_OK)
    monkeypatch.setattr(embedded_nats, "PACKAGE", "no-such-package")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OurMistake, match="install the no-such-package package"):
        find_binary()
