"""From a request at the terminal to an answer: permissions, faults, execution.

The order of things is the order in which a real request meets them: the terminal's own
permissions, the way to the broker (where it may be lost), the broker's answer, and the way back
(where the answer may be lost although the order is filled).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from argos_common.domain.times import NS_PER_MS

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.checks import check, find_position
from argos_mt5_node.simulator.execution import close_by_order, market_order, new_order
from argos_mt5_node.simulator.records import ZERO, Order, Reply, TradeRequest, TradeResult
from argos_mt5_node.simulator.state import BrokerState, Cause
from argos_mt5_node.simulator.switchboard import ANSWER_FAULTS, Params, Switchboard

_LADDER = (
    ("autotrading_off", c.CLIENT_DISABLES_AT),
    ("disconnected", c.CONNECTION),
    ("expert_off", c.SERVER_DISABLES_AT),
    ("trade_disabled", c.TRADE_DISABLED),
)


def send(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> Reply:
    """Take one request of the client; the time is that of its arrival."""
    login = book.spec.login
    board = state.switchboard
    if not board.any_armed(login):
        return Reply(result=_arrived(state, book, request, now_ns))
    if board.active(login, "api_disabled") is not None:
        return Reply(result=None, error=c.RES_AUTO_TRADING_DISABLED)
    for name, retcode in _LADDER:
        if board.active(login, name) is not None:
            return Reply(result=_numbered(state, state.result(retcode, request.symbol, now_ns)))
    lost = board.take(login, "request_lost")
    if lost is not None:
        return _vanished(lost)
    reply = Reply(result=_with_faults(state, book, request, now_ns))
    lost = board.take(login, "answer_lost")
    if lost is not None:
        return _vanished(lost)
    slow = board.take(login, "slow_answer")
    return reply if slow is None else replace(reply, after_ms=board.between(slow))


def _vanished(params: Params) -> Reply:
    if params["mode"] == "hang":
        return Reply(result=None, after_ms=None)
    return Reply(result=None, error=int(params["error"]), after_ms=int(params["after_ms"]))


def _numbered(state: BrokerState, result: TradeResult) -> TradeResult:
    state.next_request += 1
    return replace(result, request_id=state.next_request - 1)


def _with_faults(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> TradeResult:
    board, login = state.switchboard, book.spec.login
    manual = board.take(login, "manual_trade")
    if manual is not None:
        side = c.SELL if manual["side"] == "sell" else c.BUY
        volume = Decimal(str(manual["volume"]))
        manual_trade(state, book, _manual(request.symbol, side, volume), now_ns)
    late = board.take(login, "late_fill")
    if late is not None:
        state.schedule(now_ns + int(late["after_ms"]) * NS_PER_MS, login, now_ns, request)
        return _numbered(state, state.result(int(late["retcode"]), request.symbol, now_ns))
    for name in ANSWER_FAULTS:
        answer = board.take(login, name)
        if answer is not None:
            if int(answer["executed"]):
                _arrived(state, book, request, now_ns)
            result = state.result(int(answer["retcode"]), request.symbol, now_ns)
            return _numbered(state, result)
    result = _arrived(state, book, request, now_ns)
    if result.retcode == c.DONE and board.take(login, "bare_done") is not None:
        return replace(result, deal=0, price=ZERO, volume=ZERO)
    return result


def _arrived(
    state: BrokerState,
    book: Book,
    request: TradeRequest,
    now_ns: int,
    received_ns: int | None = None,
) -> TradeResult:
    """The broker has the request: execute it, record it, number the answer."""
    board, login = state.switchboard, book.spec.login
    cause = Cause(
        login=login,
        origin="expert",
        received_ns=now_ns if received_ns is None else received_ns,
        action=request.action,
        magic=request.magic,
        comment=request.comment,
    )
    stored = request
    if board.any_armed(login):
        stored = _stamped(board, login, request)
        partial = board.take(login, "partial_fill")
        slipped = board.take(login, "slippage")
        cause = replace(
            cause,
            share_percent=100 if partial is None else int(partial["percent"]),
            slippage_points=0 if slipped is None else int(slipped["points"]),
        )
    result = execute_request(state, book, cause, stored, now_ns)
    state.note_request(cause, request, result, now_ns)
    return _numbered(state, result)


def _stamped(board: Switchboard, login: int, request: TradeRequest) -> TradeRequest:
    """What the broker stores of comment and magic."""
    comment, magic = request.comment, request.magic
    if board.take(login, "comment_erased") is not None:
        comment = ""
    cut = board.take(login, "comment_truncated")
    if cut is not None:
        comment = comment[: int(cut["length"])]
    added = board.take(login, "comment_appended")
    if added is not None:
        comment = f"{comment}{added['text']}"[:31]
    if board.take(login, "magic_zeroed") is not None:
        magic = 0
    return replace(request, comment=comment, magic=magic)


def run_scheduled(
    state: BrokerState, book: Book, request: TradeRequest, due_ns: int, received_ns: int
) -> None:
    """Execute a request whose answer has been given long ago."""
    _arrived(state, book, request, due_ns, received_ns)


def _manual(symbol: str, side: int, volume: Decimal) -> TradeRequest:
    return TradeRequest(
        action=c.ACTION_DEAL, symbol=symbol, type=side, volume=volume, type_filling=c.IOC
    )


def manual_trade(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> TradeResult:
    """A human acts on the account: reason 0 and magic 0, no fault applies."""
    request = replace(request, magic=0)
    cause = Cause(
        login=book.spec.login,
        origin="manual",
        received_ns=now_ns,
        action=request.action,
        comment=request.comment,
    )
    result = execute_request(state, book, cause, request, now_ns)
    state.note_request(cause, request, result, now_ns)
    return _numbered(state, result)


def execute_request(
    state: BrokerState, book: Book, cause: Cause, request: TradeRequest, now_ns: int
) -> TradeResult:
    """Check and execute a request; every refusal leaves the books unchanged."""
    code = check(state, book, request, now_ns)
    if code:
        return state.result(code, request.symbol, now_ns)
    match request.action:
        case c.ACTION_DEAL:
            return market_order(state, book, cause, request, now_ns)
        case c.ACTION_CLOSE_BY:
            return close_by_order(state, book, cause, request, now_ns)
        case c.ACTION_PENDING:
            return _place(state, book, cause, request, now_ns)
        case c.ACTION_MODIFY:
            return _modify(state, book, request, now_ns)
        case c.ACTION_REMOVE:
            return _remove(state, book, request, now_ns)
        case _:
            return _set_stops(state, book, request, now_ns)


def _place(
    state: BrokerState, book: Book, cause: Cause, request: TradeRequest, now_ns: int
) -> TradeResult:
    order = new_order(state, book, cause, request, now_ns)
    book.put_order(order)
    state.note_order(cause, order, now_ns)
    return state.result(
        c.DONE, order.symbol, now_ns, order=order.ticket, volume=order.volume_initial
    )


def _modify(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> TradeResult:
    order = book.orders[request.order]
    changed = replace(
        order,
        price_open=request.price,
        price_stoplimit=request.stoplimit or order.price_stoplimit,
        sl=request.sl,
        tp=request.tp,
        type_time=request.type_time,
        expiration=request.expiration,
    )
    book.put_order(changed)
    return state.result(c.DONE, order.symbol, now_ns, order=order.ticket)


def cancel(book: Book, order: Order, end_state: int, now_ns: int) -> None:
    """Move a working order to history without executing it."""
    book.finish_order(replace(order, state=end_state, time_done_ns=now_ns, visible_ns=now_ns))


def _remove(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> TradeResult:
    order = book.orders[request.order]
    cancel(book, order, c.STATE_CANCELED, now_ns)
    return state.result(c.DONE, order.symbol, now_ns, order=order.ticket)


def _set_stops(state: BrokerState, book: Book, request: TradeRequest, now_ns: int) -> TradeResult:
    position = find_position(book, request)
    if position is None:
        return state.result(c.POSITION_CLOSED, request.symbol, now_ns)
    changed = replace(position, sl=request.sl, tp=request.tp, time_update_ns=now_ns)
    book.put_position(changed)
    return state.result(c.DONE, position.symbol, now_ns)
