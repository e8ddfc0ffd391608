"""How the MetaTrader5 module reads its arguments, traps included.

A ``ParseError`` is what the module reports as None with -2 before anything is sent. Integers that
do not fit raise SystemError, because the real module forgets a pending Python exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from argos_mt5_node.simulator.constants import STRUCTS

TEXT_UNITS_MAX = 29
_U64 = (1 << 64) - 1
_U32 = (1 << 32) - 1
_FLOATS = ("volume", "price", "stoplimit", "sl", "tp")
_TEXTS = ("symbol", "comment")
_WIDE = ("magic", "order", "deviation", "expiration", "position", "position_by")
UNNAMED = "Unnamed arguments not allowed"
INVALID = "Invalid arguments"

# Values are whatever the caller passed; judging their types is this module's purpose.
Fields = dict[str, Any]


class ParseError(ValueError):
    """The call is refused by the client library; the message is last_error's text."""


def invalid(name: str) -> ParseError:
    """The module's sentence about one argument."""
    return ParseError(f'Invalid "{name}" argument')


def integer(name: str, value: Any, limit: int = _U64) -> int:
    """A Python int (bool passes). Raises ParseError for other types, SystemError out of range."""
    if not isinstance(value, int):
        raise invalid(name)
    if not 0 <= value <= limit:
        message = f"<built-in function> returned NULL: {name} = {value} does not fit"
        raise SystemError(message) from OverflowError(name)
    return int(value)


def text(name: str, value: Any) -> str:
    """A string of at most 29 UTF-16 units."""
    if not isinstance(value, str) or len(value.encode("utf-16-le")) // 2 > TEXT_UNITS_MAX:
        raise invalid(name)
    return value


def real(name: str, value: Any) -> float:
    """A float; an int is refused."""
    if not isinstance(value, float):
        raise invalid(name)
    return float(value)


def trade_request(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Fields:
    """The request of order_send/order_check, every field present; absent ones are zero."""
    if args and kwargs:
        raise ParseError(UNNAMED)
    if args:
        if len(args) != 1 or not isinstance(args[0], dict):
            raise ParseError(INVALID)
        given: Mapping[str, Any] = args[0]
    elif kwargs:
        given = kwargs
    else:
        raise ParseError(INVALID)
    fields: Fields = {}
    for name in STRUCTS["TradeRequest"]:
        if name in _FLOATS:
            fields[name] = real(name, given.get(name, 0.0))
        elif name in _TEXTS:
            fields[name] = text(name, given.get(name, ""))
        else:
            limit = _U64 if name in _WIDE else _U32
            fields[name] = integer(name, given.get(name, 0), limit)
    return fields


def selection(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, Any]:
    """positions_get/orders_get: ("ticket" | "symbol" | "group" | "all", value); first one wins."""
    if args:
        raise ParseError(UNNAMED)
    if "ticket" in kwargs:
        return "ticket", integer("ticket", kwargs["ticket"])
    for name in ("symbol", "group"):
        if name in kwargs:
            if not isinstance(kwargs[name], str):
                raise invalid(name)
            return name, kwargs[name]
    return "all", None


def server_seconds(name: str, value: Any) -> int:
    """A date as 32-bit seconds: int, float, or datetime (naive means the host's zone).

    Raises ValueError for 0, where the real module reads uninitialised memory: louder than real.
    """
    if isinstance(value, datetime):
        value = value.timestamp()
    if not isinstance(value, int | float):
        raise invalid(name)
    seconds = int(value) & _U32
    if not seconds:
        message = f"{name}: the module does not store a date of 0 and would read garbage"
        raise ValueError(message)
    return seconds


def history(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Fields, str | None]:
    """history_*_get: (arguments of the operation, group or None)."""
    if len(args) == 2:
        bounds = {
            "from": server_seconds("date_from", args[0]),
            "to": server_seconds("date_to", args[1]),
        }
        group = kwargs.get("group")
        if group is not None and not isinstance(group, str):
            raise invalid("group")
        return bounds, group
    if args:
        raise ParseError(INVALID)
    for name in ("ticket", "position"):
        if name in kwargs:
            return {name: integer(name, kwargs[name])}, None
    raise ParseError(INVALID)


def is_in_group(symbol: str, group: str) -> bool:
    """Comma list with ``*``; a leading ``!`` excludes. Applied in order by the client."""
    inside = False
    for mask in group.split(","):
        pattern = mask.strip()
        excludes = pattern.startswith("!")
        body = re.escape(pattern.lstrip("!")).replace(r"\*", ".*")
        if re.fullmatch(body, symbol):
            inside = not excludes
    return inside


def login_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str]) -> Fields:
    """Arguments of initialize/login; a keyword overrides a position. Unknown keys are ignored."""
    if len(args) > len(names):
        raise ParseError(INVALID)
    given = dict(zip(names, args, strict=False))
    given.update({name: value for name, value in kwargs.items() if name in (*names, "portable")})
    fields: Fields = {}
    for name, value in given.items():
        if name in {"login", "timeout"}:
            fields[name] = integer(name, value)
        elif name == "portable":
            fields[name] = bool(value)
        elif isinstance(value, str):
            fields[name] = value
        else:
            raise invalid(name)
    return fields
