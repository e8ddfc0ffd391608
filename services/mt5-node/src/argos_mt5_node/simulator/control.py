"""The control channel: switch faults, script prices, act as a human, read the broker's record.

Operations (argument types are JSON; decimals are strings; every one answers code 1 or an error
sentence with code -2):

    control.status                               -> {seed, now_ns, logins, symbols, tick_ms,
                                                     unanswered: calls that will never return}
    control.faults                               -> the catalogue {name: {kind, meaning, defaults}}
    control.armed                                -> [{login, name, count, rate_ppm, params}]
    control.arm      login, name [, count, rate_ppm, params]     login 0: every account
    control.clear    login [, name]
    control.script   symbol, mode (set|jump|halt|free) [, price]
    control.record   [since]                     -> broker entries with seq > since
    control.books    login                       -> true books: balance, positions, orders
    control.manual_trade  login, request         -> {retcode, order, deal}
    control.rollover login [, reopen]
    control.deposit  login, amount
    control.kill_terminal  path                  closes every connection of that terminal
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from argos_mt5_node.simulator.broker import SimulatedBroker, UnknownAccountError
from argos_mt5_node.simulator.constants import RES_INVALID_PARAMS, RES_OK
from argos_mt5_node.simulator.desk import Answer, Args, request_from_json
from argos_mt5_node.simulator.link import SocketLink
from argos_mt5_node.simulator.market import SCRIPT_MODES
from argos_mt5_node.simulator.switchboard import FAULTS


def plain(value: Any) -> Any:  # any JSON-like tree
    """Decimals as strings, tuples as lists."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class ControlDesk:
    """Answers control operations on a broker."""

    def __init__(self, broker: SimulatedBroker) -> None:
        """One per broker."""
        self.broker = broker
        self._operations: dict[str, Callable[[Args, int], Any]] = {
            "control.status": self._status,
            "control.faults": lambda _args, _now: {n: asdict(s) for n, s in FAULTS.items()},
            "control.armed": self._armed,
            "control.arm": self._arm,
            "control.clear": self._clear,
            "control.script": self._script,
            "control.record": self._record,
            "control.books": self._books,
            "control.manual_trade": self._manual_trade,
            "control.rollover": self._rollover,
            "control.deposit": self._deposit,
        }

    def call(self, operation: str, args: Args, now_ns: int) -> tuple[Answer, str]:
        """(answer, error sentence)."""
        handler = self._operations.get(operation)
        if handler is None:
            return Answer(code=RES_INVALID_PARAMS), f"unknown operation {operation!r}"
        try:
            return Answer(value=plain(handler(args, now_ns))), ""
        except UnknownAccountError as error:
            return Answer(code=RES_INVALID_PARAMS), f"no account {error.args[0]} at this broker"
        except KeyError as error:
            return Answer(code=RES_INVALID_PARAMS), f"unknown or missing {error.args[0]!r}"
        except (ValueError, ArithmeticError, TypeError) as error:
            return Answer(code=RES_INVALID_PARAMS), str(error)

    def _status(self, _args: Args, now_ns: int) -> Any:  # JSON value, as all below
        self.broker.advance(now_ns)
        return {
            "seed": self.broker.seed,
            "now_ns": now_ns,
            "logins": list(self.broker.state.books),
            "symbols": list(self.broker.market.symbols),
            "tick_ms": self.broker.market.tick_ns // 1_000_000,
        }

    def _armed(self, _args: Args, _now_ns: int) -> Any:
        return [
            {
                "login": login,
                "name": name,
                "count": armed.count,
                "rate_ppm": armed.rate_ppm,
                "params": dict(armed.params),
            }
            for login, faults in self.broker.state.switchboard.armed.items()
            for name, armed in faults.items()
        ]

    def _arm(self, args: Args, now_ns: int) -> Any:
        self.broker.arm(
            args["login"],
            args["name"],
            now_ns,
            count=args.get("count"),
            rate_ppm=args.get("rate_ppm"),
            params=args.get("params"),
        )
        return True

    def _clear(self, args: Args, now_ns: int) -> Any:
        self.broker.clear(args["login"], now_ns, args.get("name"))
        return True

    def _script(self, args: Args, now_ns: int) -> Any:
        mode, symbol, price = args["mode"], args["symbol"], args.get("price")
        if mode not in SCRIPT_MODES:
            message = f"script mode {mode!r} is none of {', '.join(SCRIPT_MODES)}"
            raise ValueError(message)
        self.broker.script(symbol, mode, now_ns, None if price is None else Decimal(str(price)))
        quote = self.broker.quote(symbol, now_ns)
        return {"bid": quote.bid, "ask": quote.ask}

    def _record(self, args: Args, now_ns: int) -> Any:
        self.broker.advance(now_ns)
        return [asdict(entry) for entry in self.broker.record[int(args.get("since", 0)) :]]

    def _books(self, args: Args, now_ns: int) -> Any:
        standing = self.broker.standing(args["login"], now_ns)
        book = self.broker.book(args["login"])
        return {
            "balance": book.balance,
            "equity": standing.equity,
            "positions": [asdict(position) for position in book.positions.values()],
            "orders": [asdict(order) for order in book.orders.values()],
            "deals": len(book.deals),
        }

    def _manual_trade(self, args: Args, now_ns: int) -> Any:
        request = request_from_json(args["request"])
        result = self.broker.manual_trade(args["login"], request, now_ns)
        return {"retcode": result.retcode, "order": result.order, "deal": result.deal}

    def _rollover(self, args: Args, now_ns: int) -> Any:
        self.broker.rollover(args["login"], now_ns, reopen=bool(args.get("reopen", False)))
        return True

    def _deposit(self, args: Args, now_ns: int) -> Any:
        return self.broker.deposit(args["login"], Decimal(str(args["amount"])), now_ns).ticket


class ControlError(RuntimeError):
    """The server refused a control operation; the message says why."""


class SimulatorControl:
    """A blocking client of the control channel. Raises ControlError when refused."""

    def __init__(self, address: Path | tuple[str, int], timeout_s: float = 10.0) -> None:
        """``address`` is the server's port file or (host, port)."""
        self._link = SocketLink(address, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def call(self, operation: str, **args: Any) -> Any:  # JSON values
        """One operation, named without its ``control.`` prefix."""
        self._link.open()
        code, text, value = self._link.call("", f"control.{operation}", args)
        if code != RES_OK:
            raise ControlError(text)
        return value

    def status(self) -> dict[str, Any]:
        """Seed, time, logins, symbols, and how many calls will never be answered."""
        found: dict[str, Any] = self.call("status")
        return found

    def arm(
        self,
        login: int,
        name: str,
        *,
        count: int | None = None,
        rate_ppm: int | None = None,
        params: Mapping[str, int | str] | None = None,
    ) -> None:
        """Switch a fault on. With neither count nor rate it stays until cleared."""
        self.call(
            "arm", login=login, name=name, count=count, rate_ppm=rate_ppm, params=params or {}
        )

    def clear(self, login: int, name: str | None = None) -> None:
        """Switch one fault of a login off, or all of them."""
        self.call("clear", login=login, name=name)

    def script(self, symbol: str, mode: str, price: Decimal | None = None) -> None:
        """Script a symbol's price from now on."""
        self.call("script", symbol=symbol, mode=mode, price=None if price is None else str(price))

    def record(self, since: int = 0) -> list[dict[str, Any]]:
        """The broker's own record after entry ``since``; decimals are strings."""
        entries: list[dict[str, Any]] = self.call("record", since=since)
        return entries

    def books(self, login: int) -> dict[str, Any]:
        """True balance, equity, positions, orders, number of deals; decimals are strings."""
        books: dict[str, Any] = self.call("books", login=login)
        return books

    def manual_trade(self, login: int, **request: Any) -> dict[str, int]:
        """A human trades; the request's fields are keyword arguments."""
        result: dict[str, int] = self.call("manual_trade", login=login, request=request)
        return result

    def kill_terminal(self, path: str) -> None:
        """Close every connection of a terminal, also of calls in flight."""
        self.call("kill_terminal", path=path)
