"""The measurement as tables for the screen, and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from argos_cli.report.hops import HOPS

Rows = list[list[str]]
QUANTILES = ("p50", "p90", "p99")
FLOOR_RATIO_MAX, ANSWER_P99_MAX_MS, SUSTAINED_MIN, MEMORY_MAX_MB = 2.5, 50.0, 150.0, 150.0


def sections(result: dict[str, Any]) -> list[tuple[str, list[str], Rows]]:
    """(title, columns, rows); a column that begins with # is a number."""
    found = [
        ("From the alert's receipt to order_send, in ms", _HEAD, _overall(result)),
        ("Time per hop, in ms (p50 / p90 / p99)", ["hop", *_rates(result)], _hops(result)),
    ]
    if result.get("sustained"):
        found.append(("Sustained until reconciled", ["", "#"], _sustained(result["sustained"])))
        found.append(("CPU per signal while sustained, in ms", ["process", "#"],
                      _cpu(result["sustained"].get("cpu_ms_per_signal", {}))))  # fmt: skip
    found.append(("Memory per process, in MB", ["process", "# at start", "# after the load"],
                  _memory(result["memory"])))  # fmt: skip
    found.append(("Aims", ["aim", "reached", ""], _aims(result)))
    return found


_HEAD = [
    "alerts/s", "", "# p50", "# p90", "# p99", "# of the floor (p50)",
]  # fmt: skip


def _overall(result: dict[str, Any]) -> Rows:
    rows: Rows = []
    for each in result["rates"]:
        rate = f"{each['rate']:g}"
        rows.append([rate, "floor", *_numbers(each["floor_ms"]), "1.00"])
        rows.append(
            ["", "Argos, to order_send", *_numbers(each["to_call_ms"]), f"{each['ratio_p50']:.2f}"]
        )
        rows.append(["", "Argos, to reconciled", *_numbers(each["to_reconciled_ms"]), ""])
        rows.append(["", "the sender's 200", *_numbers(each["answer_ms"]), ""])
    return rows


def _rates(result: dict[str, Any]) -> list[str]:
    return [f"# at {each['rate']:g}/s" for each in result["rates"]]


def _hops(result: dict[str, Any]) -> Rows:
    return [
        [
            name,
            *(
                " / ".join(_numbers(each["hops_ms"][name])) if name in each["hops_ms"] else ""
                for each in result["rates"]
            ),
        ]
        for name in HOPS[1:]
        if any(name in each["hops_ms"] for each in result["rates"])
    ]


def _sustained(found: dict[str, Any]) -> Rows:
    return [
        ["signals per second", f"{found['signals_per_second']:.1f}"],
        ["signals", str(found["finished"])],
        ["seconds", f"{found['seconds']:.1f}"],
        ["alerts under way at most", str(found["window"])],
        ["lost", str(found["lost"])],
        ["declined or refused", str(found["declined"] + found["refused_by_risk"])],
        ["in doubt on the way", str(found["in_doubt"])],
        ["p50 / p90 / p99 to reconciled, ms", " / ".join(_numbers(found["to_reconciled_ms"]))],
    ]


def _cpu(found: dict[str, float]) -> Rows:
    rows = [[name, f"{ms:.1f}"] for name, ms in found.items()]
    return [*rows, ["all", f"{sum(found.values()):.1f}"]]


def _memory(found: list[dict[str, Any]]) -> Rows:
    return [[m["process"], f"{m['start_mb']:.0f}", f"{m['after_mb']:.0f}"] for m in found]


def _aims(result: dict[str, Any]) -> Rows:
    rows: Rows = []
    for each in result["rates"]:
        if each["rate"] == 20:  # the rate that the aim names
            ratio = each["ratio_p50"]
            rows.append(_aim(f"p50 within {FLOOR_RATIO_MAX} × of the floor at 20/s",
                             f"{ratio:.2f} ×", ratio <= FLOOR_RATIO_MAX))  # fmt: skip
        if each["rate"] == 100:  # the same
            ms = each["answer_ms"]["p99"]
            rows.append(_aim(f"p99 of the 200 under {ANSWER_P99_MAX_MS:g} ms at 100/s",
                             f"{ms:.1f} ms", ms < ANSWER_P99_MAX_MS))  # fmt: skip
    if result.get("sustained"):
        per_s = result["sustained"]["signals_per_second"]
        rows.append(_aim(f"{SUSTAINED_MIN:g} signals/s sustained", f"{per_s:.1f}",
                         per_s >= SUSTAINED_MIN))  # fmt: skip
    largest = max((m["after_mb"] for m in result["memory"]), default=0.0)
    rows.append(_aim(f"each service under {MEMORY_MAX_MB:g} MB", f"{largest:.0f} MB at most",
                     largest < MEMORY_MAX_MB))  # fmt: skip
    lost = sum(each["lost"] for each in result["rates"])
    lost += result["sustained"]["lost"] if result.get("sustained") else 0
    rows.append(_aim("nothing lost", str(lost), lost == 0))
    return rows


def _aim(what: str, reached: str, held: bool) -> list[str]:
    return [what, reached, "yes" if held else "NO"]


def _numbers(found: dict[str, float]) -> list[str]:
    return [f"{found[name]:.1f}" for name in QUANTILES]


def markdown(result: dict[str, Any]) -> str:
    """The tables for the documentation."""
    machine = result["machine"]
    parts = [
        f"Measured by `argos bench --seconds {result['seconds']:g}` on {machine['cpus']} cores,"
        f" {machine['system']}, Python {machine['python']}.",
    ]
    for title, columns, rows in sections(result):
        parts += [f"### {title}", _table(columns, rows)]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "| " + " | ".join(c.removeprefix("#").strip() for c in columns) + " |"
    rule = "|" + "|".join("---:" if c.startswith("#") else "---" for c in columns) + "|"
    return "\n".join([head, rule, *("| " + " | ".join(row) + " |" for row in rows)])
