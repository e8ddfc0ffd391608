"""Prices as a pure function of (seed, symbol, tick index), and a script on top of it.

The path is a sum of value noise over octaves: every octave draws a hashed number per corner and
interpolates between corners in integers. Octave k spans 2**k ticks with an amplitude that grows
as the square root of its span, so the path looks like a random walk up to the longest octave
(about seven hours) and returns to its mean beyond it. Any tick is evaluated in a constant number
of steps, however long ago the last one was.

A script per symbol overrides the path from a tick on: ``set`` pins the bid, ``jump`` moves the
whole path so that it continues from a price, ``halt`` stops ticks (and the server's time with
them), ``free`` returns to the seeded path.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from argos_common.domain.times import NS_PER_MS

from argos_mt5_node.simulator.prng import hash_name, mix64
from argos_mt5_node.simulator.symbols import ServerClock, SymbolSpec

_OCTAVES = (0, 3, 6, 9, 12, 15, 18)
_SATURDAY = 2  # day 0 of the epoch is a Thursday
ScriptMode = Literal["set", "jump", "halt", "free"]
SCRIPT_MODES: tuple[ScriptMode, ...] = ("set", "jump", "halt", "free")


class Quote(NamedTuple):
    """A tick. ``*_points`` are integers of the symbol's point; ``time_ns`` is UTC."""

    time_ns: int
    bid_points: int
    ask_points: int
    bid: Decimal
    ask: Decimal


class _Path:
    """The seeded path of one symbol."""

    def __init__(self, seed: int, spec: SymbolSpec) -> None:
        self._key = hash_name(seed, spec.path_key or spec.name)
        self._start = spec.start_points
        self._noise = spec.noise_millipoints
        self._corners: dict[tuple[int, int], int] = {}
        self._amplitudes = tuple(self._noise * 2 ** (octave // 2) for octave in _OCTAVES)

    def _corner(self, octave: int, corner: int, amplitude: int) -> int:
        key = (octave, corner)
        value = self._corners.get(key)
        if value is None:
            if len(self._corners) > 4096:
                self._corners.clear()
            hashed = mix64(self._key ^ mix64(corner * 64 + octave))
            value = hashed % (2 * amplitude + 1) - amplitude
            self._corners[key] = value
        return value

    def bid_points(self, index: int) -> int:
        """Bid at a tick, in points; never below 1."""
        total = 0
        for octave, amplitude in zip(_OCTAVES, self._amplitudes, strict=True):
            corner = index >> octave
            fraction = index - (corner << octave)
            left = self._corner(octave, corner, amplitude)
            if fraction:
                right = self._corner(octave, corner + 1, amplitude)
                left += ((right - left) * fraction) >> octave
            total += left
        return max(1, self._start + total // 1000)

    def spread_noise(self, index: int, bound: int) -> int:
        """Extra spread at a tick, in [0, bound]."""
        return mix64(self._key ^ (index * 2 + 1)) % (bound + 1)


class Market:
    """All symbols' prices on one grid of ticks."""

    def __init__(
        self,
        seed: int,
        symbols: Sequence[SymbolSpec],
        clock: ServerClock,
        tick_ms: int = 100,
    ) -> None:
        """Prices depend on the seed and on each symbol's specification only."""
        self.symbols = {spec.name: spec for spec in symbols}
        self.clock = clock
        self.tick_ns = tick_ms * NS_PER_MS
        self.scripts: dict[str, list[tuple[int, ScriptMode, int]]] = {}
        self._paths = {spec.name: _Path(seed, spec) for spec in symbols}
        self._last: dict[str, tuple[int, Quote]] = {}

    def index(self, now_ns: int) -> int:
        """The tick in force at an instant."""
        return now_ns // self.tick_ns

    def quote(self, symbol: str, now_ns: int) -> Quote:
        """The last tick of a symbol at an instant."""
        return self.quote_at(symbol, now_ns // self.tick_ns)

    def quote_at(self, symbol: str, index: int) -> Quote:
        """The tick a symbol shows at a tick index (an earlier one while halted or closed)."""
        cached = self._last.get(symbol)
        if cached is not None and cached[0] == index:
            return cached[1]
        quote = self._evaluate(self.symbols[symbol], index)
        self._last[symbol] = (index, quote)
        return quote

    def _evaluate(self, spec: SymbolSpec, index: int) -> Quote:
        shown = self._last_open(spec, index)
        value: int | None = None
        offset = 0
        for start, mode, amount in reversed(self.scripts.get(spec.name, ())):
            if start > shown:
                continue
            if mode == "halt":
                shown = start - 1
                continue
            if mode == "set":
                value = amount
            elif mode == "jump":
                offset = amount
            break
        path = self._paths[spec.name]
        bid = path.bid_points(shown) + offset if value is None else value
        spread = spec.spread_points
        if value is None:
            spread += path.spread_noise(shown, spec.spread_noise_points)
        bid = max(1, bid)
        scale = -spec.digits
        return Quote(
            shown * self.tick_ns,
            bid,
            bid + spread,
            Decimal(bid).scaleb(scale),
            Decimal(bid + spread).scaleb(scale),
        )

    def is_open(self, symbol: str, now_ns: int) -> bool:
        """Whether the symbol's trading session is open."""
        spec = self.symbols[symbol]
        return not spec.weekend_closed or (self.clock.day(now_ns) - _SATURDAY) % 7 > 1

    def _last_open(self, spec: SymbolSpec, index: int) -> int:
        now_ns = index * self.tick_ns
        if not spec.weekend_closed or self.is_open(spec.name, now_ns):
            return index
        day = self.clock.day(now_ns)
        saturday = day - (day - _SATURDAY) % 7
        closed_ns = (saturday * 86_400 - self.clock.offset_at(now_ns)) * 1_000_000_000
        return closed_ns // self.tick_ns - 1

    def script(self, symbol: str, mode: ScriptMode, now_ns: int, price: Decimal | None) -> None:
        """Change a symbol's path from the tick in force on. Price is the bid (set, jump)."""
        spec = self.symbols[symbol]
        index = self.index(now_ns)
        amount = 0
        if mode in {"set", "jump"}:
            if price is None or price <= 0:
                message = f"script mode {mode!r} needs a positive price"
                raise ValueError(message)
            amount = int((price / spec.point).to_integral_value())
        if mode == "jump":
            amount -= self._paths[symbol].bid_points(index)
        entries = self.scripts.setdefault(symbol, [])
        entries.append((index, mode, amount))
        entries.sort(key=lambda entry: entry[0])
        self._last.pop(symbol, None)
