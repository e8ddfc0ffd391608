"""What the person sees while the demo plays: one block per step, line by line as things happen.

Colours where there is a terminal, plain lines where there is none. With --json all of it goes to
stderr, because stdout then holds one document and nothing else.
"""

from __future__ import annotations

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from rich.console import Console
from rich.table import Table
from rich.text import Text

from argos_cli.output import Tone

_STYLES: dict[Tone, str] = {
    "": "", "error": "bold red", "good": "green", "warn": "yellow", "dim": "dim",
}  # fmt: skip
_INDENT = " " * 9
PAUSE_S = 0.4


class Screen:
    """Writes with the seconds since the beginning in front."""

    def __init__(self, clock: Clock, *, to_stderr: bool, unhurried: bool = False) -> None:
        """`unhurried`: pause after each step, if somebody sits at a terminal."""
        self._clock = clock
        self._start_ns = clock.monotonic_ns()
        self.console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = 160  # a pipe has no width: do not cut tables for it
        self.pause_s = PAUSE_S if unhurried and self.console.is_terminal else 0.0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return (self._clock.monotonic_ns() - self._start_ns) / NS_PER_S

    def say(self, text: str, tone: Tone = "") -> None:
        """A line with the time in front."""
        self.console.print(Text.assemble((f"{self.seconds:6.1f} s ", "dim"), (text, _STYLES[tone])))

    def step(self, number: int, of: int, title: str, expect: str) -> None:
        """The head of a step."""
        self.console.print()
        self.console.print(
            Text.assemble(
                (f"{self.seconds:6.1f} s ", "dim"), (f"{number}/{of} ", "dim"), (title, "bold")
            )
        )
        self.console.print(Text(f"{_INDENT}expected: {expect}", "dim"))

    def detail(self, text: str, tone: Tone = "") -> None:
        """A line within a step."""
        self.console.print(Text(_INDENT + text, _STYLES[tone]))

    def result(self, detail: str, *, held: bool) -> None:
        """How the step ended."""
        mark, style = ("✓", "green") if held else ("✗ NOT AS EXPECTED:", "bold red")
        self.console.print(Text(f"{_INDENT}{mark} {detail}", style))

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, "bold"))

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """A table; numbers come formatted."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            number = column.startswith("#")
            table.add_column(
                column.removeprefix("#").strip(),
                justify="right" if number else "left",
                no_wrap=number or column in {"account", "order"},
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print(table, soft_wrap=False)

    def line(self, text: str, tone: Tone = "") -> None:
        self.console.print(Text(text, _STYLES[tone]))
