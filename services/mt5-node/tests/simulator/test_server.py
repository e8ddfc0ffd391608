"""The server process: durable books, faults over the control channel, clean ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from argos_mt5_node.simulator.control import ControlError
from argos_mt5_node.simulator.harness import HEDGING, NETTING, ServerProcess

Deal = Callable[..., dict[str, Any]]


def until(condition: Callable[[], object], deadline_s: float = 10.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def test_kill_9_and_restart_keep_positions_orders_deals_and_record(
    server: ServerProcess, deal: Deal
) -> None:
    control = server.control()
    control.script("EURUSD", "set", Decimal("1.1"))
    terminal = server.terminal(HEDGING)
    terminal.order_send(deal(sl=1.09))
    terminal.order_send(deal(action=5, type=2, price=1.05, type_filling=2))
    netting = server.terminal(NETTING, "C:\\B")
    netting.order_send(deal(type=1))
    netting.order_send(deal(volume=0.3))
    before = [control.books(login) for login in (HEDGING, NETTING)], control.record()
    tickets = [p["ticket"] for p in before[0][0]["positions"]]
    server.kill()
    control.close()
    for facade in (terminal, netting):
        facade.shutdown()

    server.start()
    control = server.control()
    after = [control.books(login) for login in (HEDGING, NETTING)], control.record()
    assert after == before
    terminal = server.terminal(HEDGING)
    assert [p.ticket for p in terminal.positions_get()] == tickets
    fresh = terminal.order_send(deal()).order
    assert fresh > max(entry["order"] for entry in before[1])
    control.script("EURUSD", "set", Decimal("1.08"))
    assert [e["origin"] for e in control.record()][-2:] == ["broker", "broker"]
    terminal.shutdown()
    control.close()


def test_stops_trigger_unattended(server: ServerProcess, deal: Deal) -> None:
    control, terminal = server.control(), server.terminal(HEDGING)

    def opened() -> bool:
        bid = terminal.symbol_info("BTCUSD").bid
        stops = {"sl": round(bid - 0.5, 2), "tp": round(bid + 0.5, 2)}
        return bool(terminal.order_send(deal(symbol="BTCUSD", **stops)).retcode == 10009)

    until(opened)
    terminal.shutdown()
    until(lambda: any(entry["origin"] == "broker" for entry in control.record()))
    control.close()


def test_a_call_that_hangs_blocks_nobody_else_and_was_executed(
    server: ServerProcess, deal: Deal
) -> None:
    control, terminal = server.control(), server.terminal(HEDGING)
    control.arm(HEDGING, "answer_lost", count=1, params={"mode": "hang"})
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(terminal.order_send(deal())))
    caller.start()
    until(lambda: control.status()["unanswered"] == 1)
    other = server.terminal(HEDGING, "C:\\B")
    until(lambda: len(other.positions_get()) == 1)
    assert answers == []
    control.kill_terminal("C:\\A")
    caller.join(10)
    assert answers == [None]
    assert terminal.last_error()[0] == -10002
    other.shutdown()
    control.close()


def test_a_slow_answer_holds_up_only_its_caller(server: ServerProcess, deal: Deal) -> None:
    control, slow = server.control(), server.terminal(HEDGING)
    control.arm(HEDGING, "slow_answer", count=1, params={"min_ms": 1500, "max_ms": 1500})
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(slow.order_send(deal())))
    caller.start()
    until(lambda: len(control.books(HEDGING)["positions"]) == 1)
    other = server.terminal(NETTING, "C:\\B")
    assert other.order_send(deal()).retcode == 10009
    assert answers == []
    caller.join(10)
    assert answers[0].retcode == 10009
    for facade in (slow, other):
        facade.shutdown()
    control.close()


def test_a_late_fill_survives_the_death_of_the_server(server: ServerProcess, deal: Deal) -> None:
    control, terminal = server.control(), server.terminal(HEDGING)
    control.arm(HEDGING, "late_fill", count=1, params={"after_ms": 1000})
    assert terminal.order_send(deal()).retcode == 10012
    control.script("GBPUSD", "free")
    server.kill()
    for client in (terminal, control):
        (client.shutdown if client is terminal else control.close)()
    server.start()
    control = server.control()
    until(lambda: len(control.books(HEDGING)["positions"]) == 1)
    control.close()


def test_a_human_may_trade_through_the_control_channel(server: ServerProcess) -> None:
    control = server.control()
    result = control.manual_trade(
        HEDGING, action=1, symbol="EURUSD", volume="0.20", type=1, type_filling=1
    )
    assert result["retcode"] == 10009
    assert control.books(HEDGING)["positions"][0]["volume"] == "0.20"
    assert {entry["origin"] for entry in control.record()} == {"manual"}
    control.close()


@pytest.mark.parametrize(
    ("operation", "args", "sentence"),
    [
        ("arm", {"login": HEDGING, "name": "nope"}, "unknown fault 'nope'"),
        ("arm", {"login": HEDGING}, "unknown or missing 'name'"),
        ("books", {"login": 1}, "no account 1"),
        ("script", {"symbol": "EURUSD", "mode": "up"}, "is none of set, jump"),
        ("script", {"symbol": "EURUSD", "mode": "set"}, "needs a positive price"),
        ("explode", {}, "unknown operation"),
    ],
)
def test_a_wrong_control_operation_is_refused_in_a_sentence(
    server: ServerProcess, operation: str, args: dict[str, Any], sentence: str
) -> None:
    control = server.control()
    with pytest.raises(ControlError, match=sentence):
        control.call(operation, **args)
    assert control.call("armed") == []
    control.close()


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "sim")
    process.start()
    assert process.stop() == 0
    assert not process.port_file.exists()


def test_it_ends_when_its_parent_dies(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = ServerProcess(tmp_path / "sim", parent_pid=parent.pid)
    process.start()
    assert process.process is not None
    parent.communicate(b"\n")
    assert process.process.wait(10) == 0
    process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(parent.pid, 0)


def test_another_seed_on_the_same_books_is_refused(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "sim", seed=1)
    process.start()
    process.stop()
    other = ServerProcess(tmp_path / "sim", seed=2)
    with pytest.raises(RuntimeError, match="made with seed 1, not 2: use that seed"):
        other.start()


def test_a_second_server_on_the_same_books_is_refused(server: ServerProcess) -> None:
    command = [sys.executable, "-m", "argos_mt5_node.simulator", "--seed", "1"]
    command += ["--state-dir", str(server.state_dir)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (second.returncode, "database is locked" in second.stderr) == (2, True)


def test_damaged_books_are_one_sentence_and_are_left_alone(tmp_path: Path) -> None:
    books = tmp_path / "broker.sqlite3"
    books.write_bytes(b"this is no database" * 300)
    command = [sys.executable, "-m", "argos_mt5_node.simulator", "--seed", "1"]
    command += ["--state-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"cannot open the books in {tmp_path}: file is not a database\n"
    assert books.read_bytes() == b"this is no database" * 300


def test_accounts_and_symbols_come_from_a_file(tmp_path: Path, deal: Deal) -> None:
    world = {
        "accounts": [{"login": 7, "password": "p", "balance": "500.50", "margin_mode": 0}],
        "symbols": [
            {
                "name": "EURUSD.x",
                "path_key": "EURUSD",
                "digits": 5,
                "contract_size": 100000,
                "base_currency": "EUR",
                "profit_currency": "USD",
                "margin_currency": "EUR",
                "start_points": 108500,
                "spread_points": 3,
                "depth": [["0.02", 0], ["0.05", 4]],
            }
        ],
        "server_offset_s": 10800,
    }
    process = ServerProcess(tmp_path / "sim", world=world)
    process.start()
    terminal = process.terminal(7, password="p")
    assert terminal.account_info().balance == 500.5
    result = terminal.order_send(deal(symbol="EURUSD.x", volume=0.1))
    assert (result.retcode, result.volume) == (10010, 0.07)
    terminal.shutdown()
    process.kill()
