"""The supervisor's parts: pauses, ports, the state folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from argos_cli.fleet import plan, ports
from argos_cli.fleet.backoff import next_failure, pause_s
from argos_cli.fleet.child import keep_small
from argos_cli.fleet.state_folder import (
    FleetRecord,
    FolderLock,
    end_left_over,
    last_record,
    read_record,
    write_record,
)
from argos_common.domain.errors import OurMistake
from argos_common.runtime.settings import load_fleet

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"


@pytest.mark.parametrize(
    ("failures", "wanted"),
    [(1, 0.2), (2, 0.5), (3, 1.0), (4, 2.0), (5, 5.0), (6, 5.0), (1000, 5.0)],
)
def test_pauses_grow_to_five_seconds_and_no_further(failures: int, wanted: float) -> None:
    assert pause_s(failures) == wanted


@pytest.mark.parametrize(
    ("before", "alive_s", "after"), [(0, 0.1, 1), (1, 0.1, 2), (7, 29.9, 8), (7, 30.0, 1)]
)
def test_half_a_minute_alive_forgets_earlier_failures(
    before: int, alive_s: float, after: int
) -> None:
    assert next_failure(before, alive_s) == after


def test_a_port_that_is_taken_is_named_with_the_way_to_change_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OurMistake) as error:
            ports.choose({"gateway": port}, {"gateway": "set [gateway] port"})
    assert f"port {port} on 127.0.0.1 for gateway is taken" in str(error.value)
    assert "set [gateway] port" in str(error.value)


def test_free_ports_are_all_different_and_stay_away_from_fixed_ones() -> None:
    fixed = ports.choose({"one": 0}, {})["one"]
    names = {f"p{n}": 0 for n in range(50)} | {"fixed": fixed}
    chosen = ports.choose(names, dict.fromkeys(names, ""))
    assert len(set(chosen.values())) == 51
    assert chosen["fixed"] == fixed


def test_the_same_port_wanted_twice_is_refused() -> None:
    free = ports.choose({"one": 0}, {})["one"]
    with pytest.raises(OurMistake, match="wanted twice"):
        ports.choose({"a": free, "b": free}, {"a": "", "b": "choose another"})


def test_a_second_fleet_on_the_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(OurMistake, match=rf"process {os.getpid()}\)"):
        FolderLock(tmp_path)


def test_the_folder_can_be_used_again_after_release(tmp_path: Path) -> None:
    FolderLock(tmp_path).release()
    FolderLock(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OurMistake, match="cannot be written") as error:
        FolderLock(file / "state")
    assert "\n" not in str(error.value)


def record_of(supervisor_pid: int, pids: dict[str, int]) -> FleetRecord:
    return FleetRecord(
        supervisor_pid=supervisor_pid,
        generation="g1",
        started_ns=1,
        config="fleet.toml",
        urls={"nats": "nats://127.0.0.1:1"},
        accounts=("a",),
        pids=pids,
    )


def test_a_record_reads_back_as_written(tmp_path: Path) -> None:
    record = record_of(os.getpid(), {"risk": 7})
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_a_dead_supervisors_record_is_not_a_running_fleet(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_record(tmp_path, record_of(gone.pid, {}))
    assert read_record(tmp_path) is None
    assert last_record(tmp_path) is not None


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/fleet.json").write_text("{")
    assert read_record(tmp_path) is None


def test_only_processes_of_this_folder_are_ended_as_left_over(tmp_path: Path) -> None:
    sleep = "import time; time.sleep(60)"
    ours = subprocess.Popen([sys.executable, "-c", sleep, str(tmp_path.resolve())])
    foreign = subprocess.Popen([sys.executable, "-c", sleep, "elsewhere"])
    try:
        write_record(tmp_path, record_of(1, {"risk": ours.pid, "bridge": foreign.pid}))
        # A child of ours stays a zombie until it is waited for; reap it as its parent.
        reaper = threading.Thread(target=ours.wait)
        reaper.start()
        assert end_left_over(tmp_path) == ("risk",)
        reaper.join()
        assert foreign.poll() is None
        assert read_record(tmp_path) is None
    finally:
        for process in (ours, foreign):
            process.kill()
            process.wait()


def test_every_planned_process_has_its_own_port_and_loopback_is_not_proxied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGOS_NODE", "left over from a shell")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    fleet = load_fleet(FLEET_TOML)
    chosen = ports.choose(*plan.wanted_ports(fleet, {"gateway": 0, "monitor": 0}))
    env = plan.base_environment(
        config=FLEET_TOML, state=tmp_path, generation="g1", ports=chosen, fleet=fleet
    )
    found = plan.processes(fleet, tmp_path, env, chosen)
    assert [each.name for each in found] == [
        "sim-mt5", "mt5-node-mt5", "exchange-node-paper",
        "risk", "bridge", "reconciler", "monitor", "gateway",
    ]  # fmt: skip
    assert len({each.port for each in found}) == len(found)
    for each in found:
        assert "127.0.0.1" in each.env["NO_PROXY"]
        assert "localhost" in each.env["no_proxy"]
        assert ("ARGOS_NODE" in each.env) == ("-node-" in each.name)


def test_intake_stops_first_and_the_log_last() -> None:
    names = ("nats", "sim-mt5", "mt5-node-mt5", "risk", "bridge", "monitor", "gateway")
    order = [name for group in plan.stop_order(names) for name in group]
    assert order[0] == "gateway"
    assert order[-1] == "nats"
    assert order.index("bridge") < order.index("mt5-node-mt5") < order.index("sim-mt5")
    assert sorted(order) == sorted(names)


def test_what_a_process_says_is_begun_again_when_it_grows_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argos_cli.fleet.child.OUT_MAX", 10)
    out = tmp_path / "risk.out"
    with out.open("ab") as writer:
        writer.write(b"a long line\n")
        writer.flush()
        keep_small(out)
        writer.write(b"next\n")
    assert out.read_bytes() == b"next\n"
    assert (tmp_path / "risk.out.1").read_bytes() == b"a long line\n"
