"""Alerts as TradingView sends them: a message with placeholders, filled in when the alert fires.

What TradingView puts on the wire: POST, HTTP/1.1, its client's user agent, `application/json` if
the message is valid JSON and `text/plain` if not, no other headers. Times have whole seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from argos_common.domain.money import plain
from argos_common.domain.times import NS_PER_S

from argos_cli.client.keep_alive import post_head

USER_AGENT = "Go-http-client/1.1"
BAR_S = 60

MESSAGE = """{
  "strategy": "%(strategy)s", "bot_version": "%(bot_version)s",
  "ticker": "{{ticker}}", "exchange": "{{exchange}}", "interval": "{{interval}}",
  "time": "{{time}}", "timenow": "{{timenow}}",
  "action": "{{strategy.order.action}}", "contracts": {{strategy.order.contracts}},
  "price": {{strategy.order.price}}, "order_id": "{{strategy.order.id}}",
  "market_position": "{{strategy.market_position}}",
  "market_position_size": {{strategy.market_position_size}},
  "prev_market_position": "{{strategy.prev_market_position}}",
  "prev_market_position_size": {{strategy.prev_market_position_size}}%(more)s
}"""
_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a strategy: the position before and after says what it is.

    `stop_away`, `target_away`: share of the price, on the losing and on the winning side. `sized_by`
    "strategy": the numbers say only the direction, the size is ours. `price_off`: what is added to
    the price the chart shows. `fired_ago_s`: how long ago it fired. `unfilled`: a placeholder left
    as it is. `raw` replaces the message; `symbol` is our name, whose price the chart shows.
    """

    strategy: str = "trend"
    bot_version: str = "trend-1.2.0"
    exchange: str = "FX"
    ticker: str = "EURUSD"
    symbol: str = ""
    action: str = "buy"
    contracts: Decimal = Decimal("0.1")
    before: tuple[str, Decimal] = ("flat", Decimal(0))
    after: tuple[str, Decimal] = ("long", Decimal("0.1"))
    stop_away: Decimal | None = Decimal("0.004")
    target_away: Decimal | None = None
    sized_by: str = "contracts"
    sender_id: str = ""
    fired_ago_s: int = 0
    unfilled: str = ""
    raw: str = ""
    as_text: bool = False
    wrong_token: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def our_symbol(self) -> str:
        return self.symbol or self.ticker

    def words(self) -> str:
        """One line for a person."""
        if self.raw:
            return self.raw if len(self.raw) <= 60 else self.raw[:57] + "..."  # a line
        before, after = (
            f"{name} {plain(size)}" if size else name for name, size in (self.before, self.after)
        )
        return f"{self.strategy}: {self.action} {self.ticker}, {before} → {after}"


def body_of(alert: Alert, price: Decimal, now_ns: int, number: int = 0) -> bytes:
    """The message as it goes out. `price` is what the chart shows.

    Two alerts of one second differ only by their order, so `number` is in the name of the order, as
    a script would number its orders.
    """
    if alert.raw:
        return alert.raw.encode()
    fired_ns = now_ns - alert.fired_ago_s * NS_PER_S
    side = {"long": 1, "short": -1}.get(alert.after[0], 0)
    more: dict[str, str] = dict(alert.more)
    if alert.stop_away is not None and side:
        more["stop"] = _near(price, price * (1 - side * alert.stop_away))
    if alert.target_away is not None and side:
        more["target"] = _near(price, price * (1 + side * alert.target_away))
    if alert.sized_by != "contracts":
        more["sizing"] = json.dumps(alert.sized_by)
    if alert.sender_id:
        more["id"] = json.dumps(alert.sender_id)
    message = MESSAGE % {
        "strategy": alert.strategy,
        "bot_version": alert.bot_version,
        "more": "".join(f',\n  "{name}": {value}' for name, value in more.items()),
    }
    values = {
        "ticker": alert.ticker,
        "exchange": alert.exchange,
        "interval": "1",
        "time": _utc(fired_ns // (BAR_S * NS_PER_S) * BAR_S * NS_PER_S),
        "timenow": _utc(fired_ns),
        "strategy.order.action": alert.action,
        "strategy.order.contracts": plain(alert.contracts),
        "strategy.order.price": plain(price),
        "strategy.order.id": f"{'Long' if side >= 0 else 'Short'}-{number}",
        "strategy.market_position": alert.after[0],
        "strategy.market_position_size": plain(alert.after[1]),
        "strategy.prev_market_position": alert.before[0],
        "strategy.prev_market_position_size": plain(alert.before[1]),
    }
    values.pop(alert.unfilled, None)
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), message).encode()


def head_of(body: bytes, path: str, host: str, *, as_text: bool) -> bytes:
    """The request's head as TradingView writes it."""
    kind = "application/json; charset=utf-8"
    try:
        json.loads(body)
    except ValueError:
        as_text = True
    if as_text:
        kind = "text/plain; charset=utf-8"
    return post_head(
        path,
        host,
        (("User-Agent", USER_AGENT), ("Content-Type", kind), ("Accept-Encoding", "gzip")),
    )


def _near(price: Decimal, wanted: Decimal) -> str:
    """A price with as many digits as the chart's."""
    return plain(wanted.quantize(Decimal(1).scaleb(int(price.as_tuple().exponent))))


def _utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
