"""Faults by name, switched per account.

A fault is armed with a ``count`` (the next N occasions), a ``rate_ppm`` (each occasion, drawn
from the seeded generator, in parts per million) or neither (until cleared). Per-request faults
are consumed by ``take``; states are asked with ``active`` and are never consumed.
Login 0 means every account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.prng import Prng

Value = int | str
Params = Mapping[str, Value]
ALL_LOGINS: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """A fault the switchboard knows: what it does and its parameters with their defaults."""

    kind: Literal["request", "state"]
    meaning: str
    defaults: Params


def _request(meaning: str, **defaults: Value) -> FaultSpec:
    return FaultSpec(kind="request", meaning=meaning, defaults=defaults)


def _state(meaning: str, **defaults: Value) -> FaultSpec:
    return FaultSpec(kind="state", meaning=meaning, defaults=defaults)


FAULTS: Final[Mapping[str, FaultSpec]] = {
    # The answer and the request part ways.
    "request_lost": _request(
        "the request never reaches the broker; mode hang (no return) or error (None, error)",
        mode="error",
        error=c.RES_IPC_SEND,
        after_ms=0,
    ),
    "answer_lost": _request(
        "the broker executes, the answer never arrives; mode hang or error (None, error)",
        mode="error",
        error=c.RES_IPC_RECEIVE,
        after_ms=0,
    ),
    "late_fill": _request(
        "answered with retcode (10012, or 10008) at once and executed after_ms later",
        retcode=c.TIMEOUT,
        after_ms=1500,
    ),
    "slow_answer": _request("executed at once, answered late", min_ms=500, max_ms=500),
    "bare_done": _request("10009 with deal 0 and price 0 although filled"),
    # An explicit answer instead of the true one; executed=1 places the order all the same.
    "requote": _request("10004", retcode=c.REQUOTE, executed=0),
    "no_connection": _request("10031", retcode=c.CONNECTION, executed=0),
    "market_closed": _request("10018", retcode=c.MARKET_CLOSED, executed=0),
    "no_quotes": _request("10021", retcode=c.PRICE_OFF, executed=0),
    "processing_error": _request("10011", retcode=c.ERROR, executed=0),
    "locked": _request("10028", retcode=c.LOCKED, executed=0),
    "too_many_requests": _request("10024", retcode=c.TOO_MANY_REQUESTS, executed=0),
    "rejected": _request("10006", retcode=c.REJECT, executed=0),
    "price_changed": _request("10020", retcode=c.PRICE_CHANGED, executed=0),
    "answer": _request("any retcode instead of the true one", retcode=c.ERROR, executed=0),
    # Execution quality.
    "partial_fill": _request("only this share of the volume is available", percent=50),
    "slippage": _request("market fills this many points worse", points=20),
    "manual_trade": _request(
        "a human trades the same symbol just before the request; side buy or sell",
        side="buy",
        volume="0.01",
    ),
    "comment_erased": _request("the broker stores no comment"),
    "comment_truncated": _request("the broker keeps this many characters", length=8),
    "comment_appended": _request("the broker appends a text", text="#b"),
    "magic_zeroed": _request("the broker stores magic 0"),
    "thin_book": _state(
        "the book holds `levels` levels of `lots`, each `step_points` further away",
        lots="0.05",
        levels=1,
        step_points=1,
    ),
    # What the terminal shows.
    "deal_lag": _state("deals and position changes show late", min_ms=200, max_ms=800),
    "read_error": _request("a read returns None with this error", error=c.RES_FAIL),
    "slow_read": _request("a read is answered late", min_ms=200, max_ms=200),
    "disconnected": _state(
        "the terminal lost the broker: 10031, reads show the books as they were; "
        "deals made meanwhile stay hidden history_delay_ms after reconnecting",
        history_delay_ms=3000,
    ),
    "not_ready": _state("initialize and login wait for readiness and end in -10005"),
    "frozen_terminal": _state("no call to the terminal returns"),
    # The permission ladder.
    "autotrading_off": _state("terminal trade_allowed False: 10027"),
    "api_disabled": _state("terminal tradeapi_disabled True: None with -8"),
    "expert_off": _state("account trade_expert False: 10026"),
    "trade_disabled": _state("account trade_allowed False: 10017"),
}

ANSWER_FAULTS: Final = tuple(
    name for name, spec in FAULTS.items() if set(spec.defaults) == {"retcode", "executed"}
)
SEND_FAULTS: Final = tuple(name for name, spec in FAULTS.items() if spec.kind == "request")


@dataclass(slots=True)
class Armed:
    """A fault switched on for one account."""

    params: dict[str, Value]
    count: int | None
    rate_ppm: int | None
    since_ns: int


class FaultError(ValueError):
    """The name or a parameter is not in the catalogue, or the count or rate makes no sense."""


class Switchboard:
    """The armed faults. Every draw comes from the generator given."""

    def __init__(self, prng: Prng) -> None:
        """Nothing is armed at first."""
        self._prng = prng
        self.armed: dict[int, dict[str, Armed]] = {}

    def arm(
        self,
        login: int,
        name: str,
        *,
        now_ns: int,
        count: int | None = None,
        rate_ppm: int | None = None,
        params: Params | None = None,
    ) -> None:
        """Switch a fault on; a second call for the same name replaces the first."""
        spec = FAULTS.get(name)
        if spec is None:
            message = f"unknown fault {name!r}; known: {', '.join(FAULTS)}"
            raise FaultError(message)
        if count is not None and count < 1:
            message = f"count is {count}: arm a fault for at least one occasion"
            raise FaultError(message)
        if rate_ppm is not None and not 0 <= rate_ppm <= 1_000_000:
            message = f"rate_ppm is {rate_ppm}: it goes from 0 to 1000000"
            raise FaultError(message)
        merged = dict(spec.defaults)
        for key, value in (params or {}).items():
            if key not in merged:
                message = f"fault {name!r} has no parameter {key!r}; it has: {', '.join(merged)}"
                raise FaultError(message)
            merged[key] = type(merged[key])(value)
        self.armed.setdefault(login, {})[name] = Armed(merged, count, rate_ppm, now_ns)

    def clear(self, login: int, name: str | None = None) -> None:
        """Switch one fault of a login off, or all of them."""
        if name is None:
            self.armed.pop(login, None)
        else:
            self.armed.get(login, {}).pop(name, None)

    def any_armed(self, login: int) -> bool:
        """False lets the caller skip every other question."""
        return bool(self.armed and (self.armed.get(login) or self.armed.get(ALL_LOGINS)))

    def active(self, login: int, name: str) -> Params | None:
        """Parameters of a fault that is on, without consuming it."""
        if not self.armed:
            return None
        for scope in (login, ALL_LOGINS):
            armed = self.armed.get(scope, {}).get(name)
            if armed is not None:
                return armed.params
        return None

    def take(self, login: int, name: str) -> Params | None:
        """Parameters if the fault strikes this occasion; counts down and draws as armed."""
        for scope in (login, ALL_LOGINS):
            faults = self.armed.get(scope, {})
            armed = faults.get(name)
            if armed is None:
                continue
            if armed.rate_ppm is not None and self._prng.below(1_000_000) >= armed.rate_ppm:
                continue
            if armed.count is not None:
                armed.count -= 1
                if armed.count <= 0:
                    del faults[name]
            return armed.params
        return None

    def between(self, params: Params) -> int:
        """A seeded draw from ``min_ms``..``max_ms``."""
        low, high = int(params["min_ms"]), int(params["max_ms"])
        return low + self._prng.below(max(0, high - low) + 1)
