"""`summary.html`: the run on one page that needs nothing else, readable at three in the morning.

No script, no font, no address: a policy in the page forbids them. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from argos_cli.report.picture import price_picture, waterfall
from argos_cli.report.trades import text_of
from argos_cli.report.view import View

_STYLE = """
:root{color-scheme:light dark;--paper:#fbfbf9;--ink:#1c2024;--soft:#667078;--line:#dde1e3;
--card:#fff;--good:#147d4b;--bad:#b3261e;--warn:#8a5a00;--mark:#2f5fb3}
@media(prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e8ea;--soft:#98a2aa;
--line:#2c3237;--card:#1b1f23;--good:#4cc38a;--bad:#ff8a80;--warn:#e0b050;--mark:#86aef2}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:24px 16px 64px;background:var(--paper);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}
p.soft,td.soft,.soft{color:var(--soft)}
.verdict{font-size:18px;font-weight:600;margin:12px 0}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{padding:6px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;white-space:nowrap}tr:last-child td{border-bottom:0}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.w{min-width:260px}.tiles{display:flex;flex-wrap:wrap;gap:10px}
.tile{flex:1 1 130px;background:var(--card);border:1px solid var(--line);border-radius:6px;
padding:8px 12px}.tile b{display:block;font-size:22px;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:auto;padding:4px 0}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg .name{font-weight:600;fill:var(--ink)}
svg .grid{stroke:var(--line)}svg .price{fill:none;stroke:var(--mark);stroke-width:1.5}
svg .entry.long{fill:var(--good)}svg .entry.short{fill:var(--bad)}svg .bar{fill:var(--mark)}
svg .held{stroke-dasharray:3 3}svg .win{stroke:var(--good)}svg .loss{stroke:var(--bad)}
svg .exit{fill:none;stroke-width:2}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TONES = {"refused": "warn", "approved": "good", "partly approved": "warn", "accepted": "good"}


def page(view: View) -> str:
    """The whole document."""
    held = sum(1 for promise in view.promises if promise.held)
    verdict = (
        f'<p class="verdict good">All {held} promises held.</p>'
        if view.held
        else f'<p class="verdict bad">{len(view.promises) - held} of {len(view.promises)}'
        " promises did NOT hold.</p>"
    )
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(view.title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(view.title)}</h1>",
            f'<p class="soft">{escape(view.started)} UTC, {view.seconds:.1f} s.'
            " Simulated market, simulated money.</p>",
            verdict,
            _broken(view),
            "<h2>What must be zero</h2>",
            _zeros(view),
            "<h2>Prices, and what was traded</h2>",
            '<p class="soft">▲ long entry, ▼ short entry, ✕ exit; point at one for its words.</p>',
            _prices(view),
            "<h2>Signals</h2>",
            _signals(view),
            "<h2>Trades</h2>",
            _trades(view),
            "<h2>Intended against done</h2>",
            '<p class="soft">Slippage and cost are adverse: positive is worse. Latency is from the'
            " alert's receipt to the fill.</p>",
            _matches(view),
            "<h2>Where the time of one order went</h2>",
            f'<p class="soft">{escape(view.hops_of)}</p>',
            f'<div class="scroll">{waterfall(view.hops)}</div>',
            "<h2>Every promise</h2>",
            _promises(view),
            "</body></html>\n",
        )
    )


def _broken(view: View) -> str:
    items = "".join(
        f"<li><b>{escape(p.name)}</b>: {escape(p.detail)}</li>" for p in view.promises if not p.held
    )
    return f'<ul class="bad">{items}</ul>' if items else ""


def _zeros(view: View) -> str:
    tiles = (
        f'<div class="tile"><b class="{"good" if count == 0 else "bad"}">{count}</b>'
        f"{escape(name)}</div>"
        for name, count in view.zeros.items()
    )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _prices(view: View) -> str:
    times = [p.at_ns for points in view.prices.values() for p in points]
    if not times:
        return '<p class="soft">No prices were recorded.</p>'
    traded = dict.fromkeys(trade.symbol for trade in view.trades)
    pictures = (
        price_picture(symbol, view.prices.get(symbol, ()), view.trades, (min(times), max(times)))
        for symbol in traded
    )
    return f'<div class="scroll">{"".join(pictures)}</div>'


def _signals(view: View) -> str:
    rows = []
    for line in view.signals:
        outcomes = "<br>".join(
            f'{escape(account)}: <span class="{_TONES.get(word, "")}">{escape(word)}</span>'
            f' <span class="soft">{escape(reason)}</span>'
            for account, word, reason in line.outcomes
        )
        rows.append(
            (
                _cell(line.number, "n"),
                _cell(line.title),
                _cell(line.alert, "soft"),
                _cell(line.answer),
                f'<td class="w">{outcomes}</td>',
            )
        )
    return _table(("", "Step", "Alert", "Answer", "Verdict, and why"), rows)


def _trades(view: View) -> str:
    columns = (
        "trade_id", "account", "strategy", "symbol", "side", "quantity", "entry_price",
        "exit_price", "pnl", "cost", "latency_sec", "match_method", "exit_reason",
    )  # fmt: skip
    rows = [
        tuple(
            _value(getattr(trade, name)[:8] if name == "trade_id" else getattr(trade, name))
            for name in columns
        )
        for trade in view.trades
    ]
    return _table(tuple(name.replace("_", " ") for name in columns), rows)


def _matches(view: View) -> str:
    names = (
        "account", "what", "intended", "done", "filled", "slippage", "slippage_cash", "cost",
        "latency_sec", "method",
    )  # fmt: skip
    rows = [tuple(_value(getattr(line, name)) for name in names) for line in view.matches]
    return _table(tuple(name.replace("_", " ") for name in names), rows)


def _promises(view: View) -> str:
    rows = [
        (
            f'<td class="{"good" if p.held else "bad"}">{"held" if p.held else "BROKEN"}</td>',
            _cell(p.name),
            _cell(p.detail, "soft"),
        )
        for p in view.promises
    ]
    return _table(("", "Promise", "What was seen"), rows)


def _value(value: object) -> str:
    return _cell(text_of(value), "n" if isinstance(value, Decimal) else "")


def _cell(value: object, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<td{attribute}>{escape(str(value))}</td>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
