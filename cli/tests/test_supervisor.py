"""The supervisor with a real log server and small processes in the services' place."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from argos_cli.fleet.plan import Process
from argos_cli.fleet.state_folder import last_record, read_record
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.errors import OurMistake
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.testing.waiting import until

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"
SMALL_SERVICE = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ready")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
NO_PORTS = {"gateway": 0, "monitor": 0}


def small_fleet(*scripts: tuple[str, str]) -> Callable[..., tuple[Process, ...]]:
    def planner(
        fleet: Fleet, state: Path, env: dict[str, str], ports: Mapping[str, int]
    ) -> tuple[Process, ...]:
        return tuple(
            Process(
                name=name,
                argv=(sys.executable, "-c", script, str(ports[f"metrics:{name}"]), str(state)),
                env=env,
                ready="http",
                port=ports[f"metrics:{name}"],
            )
            for name, script in scripts
        )

    return planner


def make(state: Path, said: list[str], *scripts: tuple[str, str]) -> EmbeddedFleet:
    chosen = scripts or (("risk", SMALL_SERVICE), ("bridge", SMALL_SERVICE))
    return EmbeddedFleet(
        FLEET_TOML, state, ports=NO_PORTS, say=said.append, planner=small_fleet(*chosen)
    )


async def tail(fleet: EmbeddedFleet) -> int:
    connection = await connect(NatsSettings(url=fleet.urls["nats"], name="test"), timeout_s=10)
    try:
        return await NatsLog(connection).tail()
    finally:
        await connection.close()


async def test_a_process_that_is_killed_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    async with make(tmp_path, said) as fleet:
        before = fleet.kill("risk")
        await until(lambda: fleet.pid("risk") not in {0, before})
        await fleet.wait_ready(timeout_s=20)
        restarts = {each.name: each.restarts for each in fleet.state}
    assert restarts == {"nats": 0, "risk": 1, "bridge": 0}
    assert "risk ended (killed by SIGKILL); starting it again in 0.2 s" in said


async def test_the_log_server_comes_back_on_the_same_store_and_port(tmp_path: Path) -> None:
    async with make(tmp_path, []) as fleet:
        before, url = fleet.kill("nats"), fleet.urls["nats"]
        await until(lambda: fleet.pid("nats") not in {0, before})
        await fleet.wait_ready(timeout_s=20)
        assert fleet.urls["nats"] == url
        assert await tail(fleet) == 0


async def test_a_clean_stop_leaves_nothing_running_and_no_record(tmp_path: Path) -> None:
    async with make(tmp_path, []) as fleet:
        pids = [each.pid for each in fleet.state]
        assert read_record(tmp_path) is not None
    assert all(not _alive(pid) for pid in pids)
    assert read_record(tmp_path) is None
    async with make(tmp_path, []):
        pass  # and the folder can be used again


async def test_a_second_fleet_on_the_folder_refuses(tmp_path: Path) -> None:
    async with make(tmp_path, []) as first:
        with pytest.raises(OurMistake, match="another fleet uses"):
            await make(tmp_path, []).start()
        assert all(each.phase == "ready" for each in first.state)
        assert read_record(tmp_path) is not None


async def test_a_service_that_never_starts_is_named_with_its_last_words(tmp_path: Path) -> None:
    hopeless = ("risk", "import sys; sys.exit('risk: the port is taken')")
    fleet = make(tmp_path, [], hopeless)
    with pytest.raises(OurMistake, match=r"risk does not start \(exit code 1: risk: the port"):
        await fleet.start()
    assert read_record(tmp_path) is None


async def test_a_service_that_was_set_up_wrongly_is_not_tried_again(tmp_path: Path) -> None:
    words = "import sys; print('risk: fleet.toml has no account', file=sys.stderr); sys.exit(2)"
    said: list[str] = []
    with pytest.raises(OurMistake, match=r"risk does not start \(exit code 2: risk: fleet.toml"):
        await make(tmp_path, said, ("risk", words)).start()
    assert len([line for line in said if line.startswith("risk ended")]) == 1


async def test_a_frozen_process_goes_on_where_it_was(tmp_path: Path) -> None:
    async with make(tmp_path, []) as fleet:
        pid = fleet.pid("risk")
        fleet.pause("risk")
        await until(lambda: "T" in _state(pid))
        fleet.resume("risk")
        await until(lambda: "T" not in _state(pid))
        assert fleet.pid("risk") == pid


async def test_a_process_that_ignores_the_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argos_cli.fleet.supervisor.STOP_S", 0.5)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SMALL_SERVICE
    said: list[str] = []
    async with make(tmp_path, said, ("risk", stubborn)) as fleet:
        pid = fleet.pid("risk")
    assert not _alive(pid)
    assert "risk did not stop within 0.5 s and was killed" in said


async def test_an_unknown_process_is_named(tmp_path: Path) -> None:
    async with make(tmp_path, []) as fleet:
        with pytest.raises(OurMistake, match="there is no process 'rsik'"):
            fleet.kill("rsik")


SUPERVISOR = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_supervisor import make
async def main():
    async with make(Path({state!r}), []):
        print("up", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_what_a_killed_supervisor_left_is_ended_by_the_next(tmp_path: Path) -> None:
    script = SUPERVISOR.format(tests=str(Path(__file__).parent), state=str(tmp_path))
    first = subprocess.Popen(  # noqa: ASYNC220  # forking is quick, and it is to be killed
        [sys.executable, "-c", script], stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    with first.stdout:
        assert await asyncio.to_thread(first.stdout.readline) == b"up\n"
        record = last_record(tmp_path)
        assert record is not None
        first.kill()
        first.wait()
    assert _alive(record.pids["nats"])
    said: list[str] = []
    async with make(tmp_path, said) as fleet:
        assert fleet.pid("nats") != record.pids["nats"]
    assert any(text.startswith("ended what an earlier fleet had left running") for text in said)
    assert not _alive(record.pids["nats"])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in _state(pid)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
