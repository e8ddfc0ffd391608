"""The MetaTrader5 module's surface as data, and the codes the broker itself uses.

``mt5_api.json`` holds the function list, the record field orders and all 223 constants of
MetaTrader5 5.0.6231. The literals below repeat the few the broker core computes with, so that
they are visible to the type checker; a test compares each with the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Final

_API = json.loads(resources.files(__package__).joinpath("mt5_api.json").read_text("utf-8"))

VERSION: Final[str] = _API["version"]
CONSTANTS: Final[Mapping[str, int]] = _API["constants"]
STRUCTS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(fields) for name, fields in _API["structs"].items()
}
FUNCTIONS: Final[tuple[str, ...]] = tuple(n for n in _API["functions_flags"] if n != "legend")
TERMINAL_BUILD: Final = 5000

# Actions, order types, filling, lifetime, states.
ACTION_DEAL: Final = 1
ACTION_PENDING: Final = 5
ACTION_SLTP: Final = 6
ACTION_MODIFY: Final = 7
ACTION_REMOVE: Final = 8
ACTION_CLOSE_BY: Final = 10
BUY: Final = 0
SELL: Final = 1
BUY_LIMIT: Final = 2
SELL_LIMIT: Final = 3
BUY_STOP: Final = 4
SELL_STOP: Final = 5
BUY_STOP_LIMIT: Final = 6
SELL_STOP_LIMIT: Final = 7
CLOSE_BY: Final = 8
BUYING: Final = frozenset({BUY, BUY_LIMIT, BUY_STOP, BUY_STOP_LIMIT})
FOK: Final = 0
IOC: Final = 1
RETURN: Final = 2
BOC: Final = 3
TIME_GTC: Final = 0
TIME_DAY: Final = 1
TIME_SPECIFIED: Final = 2
TIME_SPECIFIED_DAY: Final = 3
STATE_PLACED: Final = 1
STATE_CANCELED: Final = 2
STATE_PARTIAL: Final = 3
STATE_FILLED: Final = 4
STATE_REJECTED: Final = 5
STATE_EXPIRED: Final = 6

# Deals and reasons.
DEAL_TYPE_BALANCE: Final = 2
ENTRY_IN: Final = 0
ENTRY_OUT: Final = 1
ENTRY_INOUT: Final = 2
ENTRY_OUT_BY: Final = 3
REASON_CLIENT: Final = 0
REASON_EXPERT: Final = 3
REASON_SL: Final = 4
REASON_TP: Final = 5
REASON_SO: Final = 6

# Symbol properties. The module names none of the filling bits; they are facts of the server.
FILLING_FOK_BIT: Final = 1
FILLING_IOC_BIT: Final = 2
FILLING_BOC_BIT: Final = 4
EXECUTION_REQUEST: Final = 0
EXECUTION_INSTANT: Final = 1
EXECUTION_MARKET: Final = 2
EXECUTION_EXCHANGE: Final = 3
TRADE_MODE_DISABLED: Final = 0
TRADE_MODE_LONGONLY: Final = 1
TRADE_MODE_SHORTONLY: Final = 2
TRADE_MODE_CLOSEONLY: Final = 3
TRADE_MODE_FULL: Final = 4
MARGIN_NETTING: Final = 0
MARGIN_HEDGING: Final = 2

# Answers of the trade server.
REQUOTE: Final = 10004
REJECT: Final = 10006
PLACED: Final = 10008
DONE: Final = 10009
DONE_PARTIAL: Final = 10010
ERROR: Final = 10011
TIMEOUT: Final = 10012
INVALID: Final = 10013
INVALID_VOLUME: Final = 10014
INVALID_PRICE: Final = 10015
INVALID_STOPS: Final = 10016
TRADE_DISABLED: Final = 10017
MARKET_CLOSED: Final = 10018
NO_MONEY: Final = 10019
PRICE_CHANGED: Final = 10020
PRICE_OFF: Final = 10021
INVALID_EXPIRATION: Final = 10022
TOO_MANY_REQUESTS: Final = 10024
NO_CHANGES: Final = 10025
SERVER_DISABLES_AT: Final = 10026
CLIENT_DISABLES_AT: Final = 10027
LOCKED: Final = 10028
FROZEN: Final = 10029
INVALID_FILL: Final = 10030
CONNECTION: Final = 10031
LIMIT_ORDERS: Final = 10033
LIMIT_VOLUME: Final = 10034
INVALID_ORDER: Final = 10035
POSITION_CLOSED: Final = 10036
INVALID_CLOSE_VOLUME: Final = 10038
LIMIT_POSITIONS: Final = 10040
LONG_ONLY: Final = 10042
SHORT_ONLY: Final = 10043
CLOSE_ONLY: Final = 10044

RETCODE_TEXT: Final[Mapping[int, str]] = {
    REQUOTE: "Requote",
    REJECT: "Request rejected",
    PLACED: "Order placed",
    DONE: "Request executed",
    DONE_PARTIAL: "Request executed partially",
    ERROR: "Common error",
    TIMEOUT: "Request timeout",
    INVALID: "Invalid request",
    INVALID_VOLUME: "Invalid volume",
    INVALID_PRICE: "Invalid price",
    INVALID_STOPS: "Invalid stops",
    TRADE_DISABLED: "Trade disabled",
    MARKET_CLOSED: "Market closed",
    NO_MONEY: "No money",
    PRICE_CHANGED: "Price changed",
    PRICE_OFF: "No prices",
    INVALID_EXPIRATION: "Invalid expiration",
    TOO_MANY_REQUESTS: "Too many trade requests",
    NO_CHANGES: "No changes",
    SERVER_DISABLES_AT: "AutoTrading disabled by server",
    CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    LOCKED: "Order locked",
    FROZEN: "Order or position frozen",
    INVALID_FILL: "Unsupported filling mode",
    CONNECTION: "No connection",
    LIMIT_ORDERS: "Limit of orders reached",
    LIMIT_VOLUME: "Limit of volume reached",
    INVALID_ORDER: "Invalid order",
    POSITION_CLOSED: "Position closed",
    INVALID_CLOSE_VOLUME: "Invalid close volume",
    LIMIT_POSITIONS: "Limit of positions reached",
    LONG_ONLY: "Long positions only",
    SHORT_ONLY: "Short positions only",
    CLOSE_ONLY: "Position close only",
}

# last_error codes.
RES_OK: Final = 1
RES_FAIL: Final = -1
RES_INVALID_PARAMS: Final = -2
RES_NOT_FOUND: Final = -4
RES_AUTH_FAILED: Final = -6
RES_UNSUPPORTED: Final = -7
RES_AUTO_TRADING_DISABLED: Final = -8
RES_IPC_FAIL: Final = -10000
RES_IPC_SEND: Final = -10001
RES_IPC_RECEIVE: Final = -10002
RES_IPC_INIT: Final = -10003
RES_IPC_CONNECT: Final = -10004
RES_IPC_TIMEOUT: Final = -10005

RES_TEXT: Final[Mapping[int, str]] = {
    RES_OK: "Success",
    RES_FAIL: "Terminal: Call failed",
    RES_INVALID_PARAMS: "Terminal: Invalid params",
    -3: "Terminal: Out of memory",
    RES_NOT_FOUND: "Terminal: Not found",
    -5: "Terminal: Incompatible versions",
    RES_AUTH_FAILED: "Terminal: Authorization failed",
    RES_UNSUPPORTED: "Terminal: Unsupported",
    RES_AUTO_TRADING_DISABLED: "Auto-Trading using Python API disabled in Terminal",
    RES_IPC_FAIL: "IPC call failed",
    RES_IPC_SEND: "IPC send failed",
    RES_IPC_RECEIVE: "IPC recv failed",
    RES_IPC_INIT: "IPC initialize failed",
    RES_IPC_CONNECT: "No IPC connection",
    RES_IPC_TIMEOUT: "IPC timeout",
}
