"""What a command says: data to stdout, talk to stderr. NO_COLOR is respected by `rich` itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from argos_common.domain.times import NS_PER_MS
from argos_common.wire.codec import to_plain
from rich.console import Console
from rich.table import Table
from rich.text import Text

Tone = Literal["", "error", "good", "warn", "dim"]
_STYLES: dict[Tone, str] = {
    "": "",
    "error": "bold red",
    "good": "green",
    "warn": "yellow",
    "dim": "dim",
}


def stdout() -> Console:
    """Made when needed, so that a test's captured stream is the one written to."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width: do not cut tables for it
    return console


def say(text: str, tone: Tone = "") -> None:
    """A sentence to the person, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, _STYLES[tone]))


def show(text: str, tone: Tone = "") -> None:
    """A line of data, on stdout."""
    stdout().print(Text(text, _STYLES[tone]))


def show_json(value: object, *, indent: int | None = 2) -> None:
    """One JSON document on stdout. Decimals are texts, enums their names."""
    text = json.dumps(to_plain(value), indent=indent, ensure_ascii=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers and texts as they are."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column.lower() in {"time", "trade"})
    for row in rows:
        table.add_row(*(_cell(item) for item in row))
    console = stdout()
    console.soft_wrap = False
    console.print(table)


def _cell(item: object) -> Text:
    if isinstance(item, Text):
        return item
    return Text("" if item is None else str(item))


def clock_text(at_ns: int, *, with_day: bool = False) -> str:
    """Nanoseconds since the epoch as UTC text with milliseconds."""
    if at_ns <= 0:
        return ""
    whole = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    form = "%Y-%m-%d %H:%M:%S" if with_day else "%H:%M:%S"
    return f"{whole.strftime(form)}.{at_ns // NS_PER_MS % 1000:03d}"


def ms_text(duration_ns: int) -> str:
    """A duration as milliseconds with one decimal."""
    return f"{duration_ns / NS_PER_MS:.1f}"


def plain_dict(value: object) -> dict[str, Any]:
    """A dataclass value as JSON-ready dict."""
    found = to_plain(value)
    assert isinstance(found, dict)  # noqa: S101  # dataclasses are dicts
    return found
