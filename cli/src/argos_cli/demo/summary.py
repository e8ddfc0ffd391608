"""The end of the demo on the screen: signals with their reasons, one timeline, what must be zero."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from argos_cli.demo.play import StepResult
from argos_cli.demo.screen import Screen
from argos_cli.output import Tone
from argos_cli.report.orders import RunFold
from argos_cli.report.trades import text_of
from argos_cli.report.view import MatchLine, SignalLine, View, outcome


def signal_lines(results: Sequence[StepResult], run: RunFold) -> list[SignalLine]:
    """One line per alert that was posted; copies are one."""
    lines = []
    for result in results:
        if not result.sent:
            continue
        words: dict[str, int] = {}
        for sent in result.sent:
            words[sent.word] = words.get(sent.word, 0) + 1
        answer = ", ".join(f"{n} × {word}" if n > 1 else word for word, n in words.items())
        first = next((s for s in result.sent if s.sentence), result.sent[0])
        outcomes = [
            outcome(verdict)
            for (cause, _), (verdict, _) in run.verdicts.items()
            if any(
                sent.status == 200 and sent.signal_id == cause for sent in result.sent
            )  # HTTP OK
        ]
        if first.sentence:
            outcomes.append(("door", "refused", first.sentence))
        lines.append(
            SignalLine(
                number=result.number,
                title=result.step.title,
                alert=result.sent[0].alert.words(),
                answer=answer,
                outcomes=tuple(outcomes),
            )
        )
    return lines


def print_summary(screen: Screen, view: View, folder: Path) -> None:
    """Everything a person wants to know, and where the rest is."""
    _signals(screen, view.signals)
    _timeline(screen, view)
    _matches(screen, view.matches)
    screen.heading("What must be zero")
    for name, count in view.zeros.items():
        screen.line(f"  {count:>3}  {name}", "good" if count == 0 else "error")
    screen.heading("Promises")
    broken = [promise for promise in view.promises if not promise.held]
    for promise in broken:
        screen.line(f"  ✗ {promise.name}: {promise.detail}", "error")
    held = len(view.promises) - len(broken)
    screen.line(
        f"  {held} of {len(view.promises)} promises held, {view.document['seconds']} s in all",
        "error" if broken else "good",
    )
    screen.line(f"  the run on one page: {folder / 'summary.html'}")
    screen.line(f"  replay it:           argos replay {folder / 'events.jsonl'}")


def _signals(screen: Screen, lines: Sequence[SignalLine]) -> None:
    screen.heading("Signals, and what became of each")
    for line in lines:
        screen.line(f"  {line.number:>2}  {line.title}  [{line.answer}]")
        for account, word, reason in line.outcomes:
            tone: Tone = "good" if word == "approved" else "warn"
            screen.line(f"      {account}: {word}: {reason}", tone)


def _timeline(screen: Screen, view: View) -> None:
    screen.heading(view.hops_of)
    screen.table(
        ["hop", "# ms", "# since the alert"],
        [[hop.name, f"{hop.ms:.1f}", f"{hop.since_ms:.1f}"] for hop in view.hops],
    )


def _matches(screen: Screen, lines: Sequence[MatchLine]) -> None:
    screen.heading("Intended against done (slippage and cost: positive is worse)")
    screen.table(
        ["account", "order", "# intended", "# done", "# slippage", "# cost", "# sec", "by"],
        [
            [
                line.account,
                line.what,
                text_of(line.intended),
                text_of(line.done),
                text_of(line.slippage),
                _rounded(line.cost, "0.01"),
                _rounded(line.latency_sec, "0.001"),
                line.method if line.whole else f"{line.method}, {line.filled} filled",
            ]
            for line in lines
        ],
    )


def _rounded(value: Decimal | None, to: str) -> str:
    return "" if value is None else str(value.quantize(Decimal(to)))
