"""Session: initialize, login, shutdown, and a terminal that dies."""

from __future__ import annotations

import threading
from pathlib import Path

from argos_mt5_node.simulator.harness import HEDGING, NETTING, ServerProcess, VirtualRig
from argos_mt5_node.simulator.terminal import SimulatedTerminal


def test_any_call_before_initialize_gives_no_connection(rig: VirtualRig) -> None:
    terminal = rig.offline_terminal()
    for call in (
        terminal.account_info,
        terminal.positions_get,
        terminal.positions_total,
        terminal.version,
        lambda: terminal.order_send({"action": 1}),
    ):
        assert call() is None
        assert terminal.last_error() == (-10004, "No IPC connection")
    assert terminal.symbol_select("EURUSD") is False
    assert terminal.login(HEDGING, "demo") is False
    assert terminal.last_error()[0] == -10004


def test_initialize_returns_false_with_detail_when_there_is_no_terminal(tmp_path: Path) -> None:
    terminal = SimulatedTerminal(tmp_path / "no-port-file")
    assert terminal.initialize("C:\\A") is False
    assert terminal.last_error() == (-10003, "IPC initialize failed, MetaTrader 5 x64 not found")


def test_a_second_initialize_drops_the_first_connection_even_with_invalid_arguments(
    rig: VirtualRig,
) -> None:
    terminal = rig.terminal()
    assert terminal.initialize("C:\\A", login="x") is False
    assert terminal.last_error() == (-2, 'Invalid "login" argument')
    assert terminal.account_info() is None
    assert terminal.last_error()[0] == -10004


def test_shutdown_is_true_twice_in_a_row(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert [terminal.shutdown(), terminal.shutdown()] == [True, True]


def test_a_wrong_password_gives_authorization_failed_and_leaves_it_disconnected(
    rig: VirtualRig,
) -> None:
    terminal = rig.offline_terminal()
    assert terminal.initialize("C:\\A", login=HEDGING, password="wrong") is False
    assert terminal.last_error() == (-6, "Terminal: Authorization failed")
    assert terminal.account_info() is None
    assert terminal.last_error()[0] == -10004


def test_a_failed_login_keeps_the_connection_usable(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert terminal.login(NETTING, password="wrong") is False
    assert terminal.last_error()[0] == -6
    assert terminal.account_info().login == HEDGING


def test_login_without_a_number_is_an_invalid_argument(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert terminal.login(password="demo") is False
    assert terminal.last_error() == (-2, 'Invalid "login" argument')


def test_an_unready_terminal_makes_initialize_wait_its_timeout(rig: VirtualRig) -> None:
    rig.broker.arm(0, "not_ready", rig.now_ns)
    before_ns = rig.now_ns
    terminal = rig.offline_terminal()
    assert terminal.initialize("C:\\A", login=HEDGING, password="demo", timeout=3000) is False
    assert terminal.last_error() == (-10005, "IPC timeout")
    assert rig.now_ns - before_ns == 3_000_000_000


def test_version_is_a_triple(rig: VirtualRig) -> None:
    version = rig.terminal().version()
    assert version is not None
    assert (version[0], type(version[1]), type(version[2])) == (500, int, str)


def test_login_to_another_account_changes_what_every_client_sees(rig: VirtualRig) -> None:
    first, second = rig.terminal(path="C:\\A"), rig.terminal(path="C:\\A")
    assert second.login(NETTING, password="demo") is True
    assert first.account_info().login == NETTING


def test_two_installations_show_two_accounts(rig: VirtualRig) -> None:
    first, second = rig.terminal(HEDGING, "C:\\A"), rig.terminal(NETTING, "C:\\B")
    assert (first.account_info().login, second.account_info().login) == (HEDGING, NETTING)


def test_a_terminal_killed_in_mid_call_gives_recv_failed_once_then_no_connection(
    server: ServerProcess,
) -> None:
    control, terminal = server.control(), server.terminal(HEDGING)
    control.arm(HEDGING, "frozen_terminal")
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(terminal.account_info()))
    caller.start()
    while control.status()["unanswered"] == 0:
        caller.join(0.02)
    control.kill_terminal("C:\\A")
    caller.join(10)
    assert answers == [None]
    assert terminal.last_error() == (-10002, "IPC recv failed")
    assert terminal.account_info() is None
    assert terminal.last_error() == (-10004, "No IPC connection")
    control.clear(HEDGING)
    assert terminal.initialize("C:\\A", login=HEDGING, password="demo") is True
    terminal.shutdown()
    control.close()


def test_a_terminal_killed_while_idle_gives_either_error_as_selected(
    server: ServerProcess,
) -> None:
    control = server.control()
    repeating = SimulatedTerminal(server.port_file, idle_death="repeat")
    closing = SimulatedTerminal(server.port_file, idle_death="close")
    for terminal in (repeating, closing):
        assert terminal.initialize("C:\\A", login=HEDGING, password="demo")
    control.kill_terminal("C:\\A")
    codes = {}
    for name, terminal in (("repeat", repeating), ("close", closing)):
        while not terminal._link.is_broken():
            pass
        seen = []
        for _ in range(2):
            assert terminal.positions_get() is None
            seen.append(terminal.last_error()[0])
        codes[name] = seen
        terminal.shutdown()
    assert codes == {"repeat": [-10001, -10001], "close": [-10004, -10004]}
    control.close()


def test_holding_the_gil_still_gets_the_answer(server: ServerProcess) -> None:
    terminal = SimulatedTerminal(server.port_file, hold_gil=True)
    assert terminal.initialize("C:\\A", login=HEDGING, password="demo")
    assert terminal.account_info().login == HEDGING
    terminal.shutdown()
