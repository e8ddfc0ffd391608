"""Pictures as inline SVG: prices with what was traded on them, and where an order's time went.

Everything that comes from outside is escaped. Colours are CSS variables of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from argos_common.domain.times import NS_PER_S

from argos_cli.report.hops import Hop
from argos_cli.report.trades import TradeLine
from argos_cli.report.view import PricePoint, price_step

WIDTH, HEIGHT = 720, 170
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 22, 22


@dataclass(frozen=True, slots=True)
class _Scale:
    """Time and price to points of the picture."""

    from_ns: int
    to_ns: int
    low: float
    high: float

    def x(self, at_ns: int) -> float:
        span = max(1, self.to_ns - self.from_ns)
        share = min(1.0, max(0.0, (at_ns - self.from_ns) / span))
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, price: float) -> float:
        span = (self.high - self.low) or 1.0
        return round(TOP + (self.high - price) / span * (HEIGHT - TOP - BOTTOM), 1)


def price_picture(
    symbol: str, points: Sequence[PricePoint], trades: Sequence[TradeLine], span: tuple[int, int]
) -> str:
    """One symbol: its price over the run, with entries and exits. Empty without two points."""
    if len(points) < 2:  # a line needs two
        return ""
    mine = [trade for trade in trades if trade.symbol == symbol]
    seen = [float(p.bid) for p in points] + [float(p.ask) for p in points]
    for trade in mine:
        seen += [float(p) for p in (trade.entry_price, trade.exit_price) if p is not None]
    margin = (max(seen) - min(seen)) * 0.08 or max(seen) * 0.0001
    scale = _Scale(span[0], span[1], min(seen) - margin, max(seen) + margin)
    path = " ".join(f"{scale.x(p.at_ns)},{scale.y(float(p.bid + p.ask) / 2)}" for p in points)
    digits = max(0, -int(price_step(points).as_tuple().exponent))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(symbol)}">',
        f'<text class="name" x="{LEFT}" y="14">{escape(symbol)}</text>',
        *(_level(scale, level, digits) for level in (scale.high - margin, scale.low + margin)),
        *_seconds(scale),
        f'<polyline class="price" points="{path}"/>',
        *(_trade(scale, trade) for trade in mine),
        "</svg>",
    ]
    return "".join(parts)


def _level(scale: _Scale, price: float, digits: int) -> str:
    y = scale.y(price)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text class="axis" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{price:.{digits}f}</text>'
    )


def _seconds(scale: _Scale) -> list[str]:
    whole = (scale.to_ns - scale.from_ns) / NS_PER_S
    step = next((s for s in (1, 2, 5, 10, 20, 60, 300) if whole / s <= 8), 1800)  # labels
    labels = []
    for second in range(0, int(whole) + 1, step):
        x = scale.x(scale.from_ns + second * NS_PER_S)
        labels.append(
            f'<text class="axis" x="{x}" y="{HEIGHT - 6}" text-anchor="middle">{second} s</text>'
        )
    return labels


def _trade(scale: _Scale, trade: TradeLine) -> str:
    if trade.entry_price is None:
        return ""
    long = trade.side == "long"
    x, y = scale.x(trade.entry_ns), scale.y(float(trade.entry_price))
    tip = -7 if long else 7
    words = f"{trade.side} {trade.quantity} {trade.symbol} on {trade.account}"
    entry = (
        f'<path class="entry {trade.side}" d="M{x} {y + tip}l6 {-tip * 1.7:.1f}h-12z">'
        f"<title>{escape(words)}: entry at {escape(str(trade.entry_price))}</title></path>"
    )
    if trade.exit_price is None:
        return entry
    x2, y2 = scale.x(trade.exit_ns), scale.y(float(trade.exit_price))
    result = "win" if trade.pnl >= 0 else "loss"
    reason = escape(f"{words}: {trade.exit_reason} at {trade.exit_price}, result {trade.pnl}")
    return (
        f'<line class="held {result}" x1="{x}" y1="{y}" x2="{x2}" y2="{y2}"/>{entry}'
        f'<path class="exit {result}" d="M{x2 - 5} {y2 - 5}l10 10m-10 0l10 -10">'
        f"<title>{reason}</title></path>"
    )


def waterfall(hops: Sequence[Hop]) -> str:
    """One bar per hop, from the alert to reconciled; the number is the hop's own milliseconds."""
    if len(hops) < 2:  # a bar needs two points
        return ""
    row, left, right = 22, 200, 70
    whole = hops[-1].since_ms or 1.0
    height = row * (len(hops) - 1) + 8
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="time per hop">']
    for index, hop in enumerate(hops[1:]):
        y = 4 + index * row
        start = left + (hop.since_ms - hop.ms) / whole * (WIDTH - left - right)
        width = max(1.5, hop.ms / whole * (WIDTH - left - right))
        parts.append(
            f'<text class="axis" x="{left - 8}" y="{y + 15}" text-anchor="end">'
            f"{escape(hop.name)}</text>"
            f'<rect class="bar" x="{start:.1f}" y="{y + 3}" width="{width:.1f}" height="15"/>'
            f'<text class="axis" x="{start + width + 6:.1f}" y="{y + 15}">{hop.ms:.1f} ms</text>'
        )
    parts.append("</svg>")
    return "".join(parts)
