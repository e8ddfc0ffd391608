"""`argos simulate`: the whole fleet in one process on virtual time, under faults, seed by seed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from argos_common.domain.errors import BadInput
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock
from argos_common.wire.codec import to_plain
from argos_simulation.size import ALERTS_MOST, DEFAULT_MINUTES
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from argos_cli.commands.options import JsonOption, finite
from argos_cli.exits import Code, Ended, usage
from argos_cli.output import say, show, show_json, show_table

if TYPE_CHECKING:
    from argos_simulation.campaign import Run, Search
    from argos_simulation.report import Failure, Report, Tally

SHRUNK_MAX = 3
"""So many failing seeds are shrunk; the others can be one by one."""
MINUTES_MAX = 600.0
_NONE = "none"
UntilOption = Annotated[
    float, typer.Option(callback=finite, help="Heal after so many virtual seconds.")
]
ShrinkOption = Annotated[
    float,
    typer.Option("--shrink", callback=finite, help="Seconds to spend on shrinking a failing seed."),
]


def simulate(  # noqa: PLR0913  # one argument per option
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 50,
    first_text: Annotated[str, typer.Option("--from", help="The first seed.")] = "1",
    faults: Annotated[
        str, typer.Option(help="Only these faults, comma-separated; `none` for a calm day.")
    ] = "",
    minutes: Annotated[
        float, typer.Option(help="Virtual minutes before faults heal.")
    ] = DEFAULT_MINUTES,
    alerts_most: Annotated[
        int, typer.Option(help="A seed sends from half as many alerts to so many.")
    ] = ALERTS_MOST,
    without: Annotated[str, typer.Option(help="Take this safeguard away; see --list.")] = "",
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Take every safeguard away, one at a time.")
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="Show faults, invariants and safeguards.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the report here: JSON if it ends so, else Markdown.")
    ] = None,
    until: UntilOption = 0.0,
    alerts: Annotated[str, typer.Option(help="Send only these alerts, by number.")] = "",
    firings: Annotated[str, typer.Option(help="Only these firings of faults: NAME:NUMBER.")] = "",
    shrink_s: ShrinkOption = 60.0,
    processes: Annotated[int, typer.Option(help="At once; 0: one per processor.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the services' own code under drawn faults; exit 3 if anything that must hold did not."""
    # Slow to import: a kill must not wait for it.
    from argos_simulation.ablations import ablation
    from argos_simulation.campaign import Run
    from argos_simulation.cut import Cut, alerts_of, firings_of
    from argos_simulation.faults import NAMES, check_names

    first = _seed(first_text)
    _check_numbers(seeds, minutes, until, alerts_most)
    chosen = [name for name in faults.split(",") if name and name != _NONE]
    named = check_names(chosen) if faults else None
    if without:
        ablation(without)
    _check_writable(out)
    if listing:
        _list(as_json=as_json)
        return
    if ablations:
        _every_ablation(_at_once(processes), out, as_json=as_json)
        return
    cut = Cut(alerts=alerts_of(alerts), firings=firings_of(firings, NAMES), until_s=until or None)
    one = Run(
        seed=first,
        faults=named,
        minutes=minutes,
        alerts_most=alerts_most,
        without=without,
        cut=cut,
    )
    runs = [replace(one, seed=seed) for seed in range(first, first + seeds)]
    _campaign(runs, _at_once(processes), shrink_s, out, as_json=as_json)


def _at_once(processes: int) -> int:
    return processes or os.cpu_count() or 1


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise BadInput(f"--from is {text!r}: a seed is a whole number from 0 on")
    return int(text)


def _check_numbers(seeds: int, minutes: float, until: float, alerts_most: int) -> None:
    if alerts_most < 1:
        raise BadInput(f"--alerts-most is {alerts_most}: give 1 or more")
    if seeds < 1:
        raise BadInput(f"--seeds is {seeds}: give 1 or more")
    if not 0 < minutes <= MINUTES_MAX:
        raise BadInput(f"--minutes is {minutes:g}: give more than 0 and at most {MINUTES_MAX:g}")
    if until and not 0 < until <= minutes * 60:
        raise BadInput(f"--until is {until:g}: give a moment within the {minutes:g} minutes")


def _check_writable(out: Path | None) -> None:
    """Before anything runs: a report that nobody can write would be lost at the end."""
    if out is None:
        return
    if out.is_dir():
        raise usage(f"the report cannot be written: {out} is a folder, name a file in it")
    folder = out.parent
    if not folder.is_dir():
        raise usage(f"the report cannot be written: there is no folder {folder}, make it first")
    try:
        with out.open("a"):
            pass
        if not out.stat().st_size:
            out.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise usage(f"the report cannot be written to {out}: {why.lower()}") from None


def _campaign(
    runs: list[Run], processes: int, shrink_s: float, out: Path | None, *, as_json: bool
) -> None:
    from argos_simulation.campaign import play_quietly, spread
    from argos_simulation.report import Tally, campaign_page

    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    tally = Tally(runs[0].seed, runs[0].minutes, runs[0].without)
    with _progress() as progress:
        bar = progress.add_task("seeds", total=len(runs), said="")
        for run, outcome in spread(play_quietly, runs, min(processes, len(runs))):
            tally.take(run, outcome)
            took_s = max((clock.monotonic_ns() - begun_ns) / NS_PER_S, 1e-9)
            progress.update(bar, advance=1, said=_said(tally, took_s))
        took_s = (clock.monotonic_ns() - begun_ns) / NS_PER_S
        _shrink(tally, runs, shrink_s, clock, progress)
    report = tally.report(took_s)
    document = {"simulation": "PASS" if report.passed else "FAIL"} | to_plain(report)
    _write(out, campaign_page(report), document)
    if as_json:
        show_json(document)
    else:
        _show(report)
    if not report.passed:
        raise Ended(Code.RED)


def _said(tally: Tally, took_s: float) -> str:
    return (
        f"{tally.seeds / took_s:.1f} seeds/s, {sum(tally.fired.values()):,} faults,"
        f" {sum(tally.evaluated.values()):,} checks, {len(tally.failures)} failed"
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _shrink(
    tally: Tally, runs: list[Run], shrink_s: float, clock: SystemClock, progress: Progress
) -> None:
    """Find the least of the first failing seeds, within the time for each."""
    from argos_simulation.shrink import shrink

    failed = [run for run in runs if run.seed in tally.failures]
    for run in failed[:SHRUNK_MAX] if shrink_s > 0 else ():
        bar = progress.add_task(f"shrinking {run.seed}", total=None, said="")
        until_ns = clock.monotonic_ns() + round(shrink_s * NS_PER_S)
        least = shrink(
            run,
            out_of_time=lambda end=until_ns: clock.monotonic_ns() >= end,  # type: ignore[misc]  # bound now
            told=lambda said, at=bar: progress.update(at, said=said),  # type: ignore[misc]  # bound now
        )
        progress.update(bar, said=f"{least.tries} runs", completed=1, total=1)
        tally.shrunk(least)


def _write(out: Path | None, page: str, document: object) -> None:
    if out is None:
        return
    if out.suffix == ".json":
        page = json.dumps(to_plain(document), indent=2, ensure_ascii=False) + "\n"
    out.write_text(page)
    say(f"the report is in {out}")


def _show(report: Report) -> None:
    from argos_simulation.invariants import INVARIANTS

    show_table("Faults fired", ("fault", "times"), [(n, f"{c:,}") for n, c in report.fired.items()])
    show_table(
        "Invariants",
        ("no.", "name", "evaluated", "violated by seeds"),
        [
            (number, INVARIANTS[number][0], f"{count:,}", report.violated.get(number, 0) or "")
            for number, count in report.evaluated.items()
        ],
    )
    for failure in report.failures:
        _show_failure(failure)
    show_table(
        "Campaign",
        ("", ""),
        [
            ("seeds", f"{report.seeds:,} in {report.wall_s:g} s, {report.seeds_per_s:g} a second"),
            ("simulated hours", f"{report.virtual_hours:g}"),
            ("log entries, orders", f"{report.log_entries:,}, {report.orders:,}"),
            ("faults fired", f"{sum(report.fired.values()):,}"),
            ("invariants evaluated", f"{sum(report.evaluated.values()):,}"),
            ("longest way to rest", f"{report.rest_max_s:g} s"),
            ("digest", report.digest[:16]),
        ],
    )
    failed = len(report.failures)
    show(
        f"SIMULATION: {'PASS' if report.passed else f'FAIL ({failed} seeds)'}",
        "good" if report.passed else "error",
    )


def _show_failure(failure: Failure) -> None:
    show(f"seed {failure.seed} failed", "error")
    for each in failure.violated:
        show(f"  {each.number} {each.name}: {each.sentence}")
        show(f"    at {each.at_s:.3f} s: {each.detail}")
    if failure.least:
        needed = ", ".join(f"{name} x{count}" for name, count in failure.faults.items())
        show(f"  the least that still fails: {failure.alerts} alerts; faults: {needed or 'none'}")
        for line in failure.story:
            show(f"    {line}", "dim")
    show(f"  again: {failure.least or failure.again}")
    if failure.least:
        show(f"  whole: {failure.again}")


def _every_ablation(processes: int, out: Path | None, *, as_json: bool) -> None:
    from argos_simulation.ablations import ABLATIONS, SHOWN_ELSEWHERE
    from argos_simulation.campaign import search, spread
    from argos_simulation.report import ablation_page

    found: dict[str, Search] = {}
    with _progress() as progress:
        bar = progress.add_task("safeguards", total=len(ABLATIONS), said="")
        for name, result in spread(search, list(ABLATIONS), processes):
            found[name] = result
            progress.update(bar, advance=1, said=name)
    ordered = [found[name] for name in ABLATIONS]
    missed = [each.name for each in ordered if each.found is None]
    document = {"ablations": "FAIL" if missed else "PASS", "found": ordered}
    _write(out, ablation_page(ordered), document)
    if as_json:
        show_json(document)
    else:
        show_table(
            "Safeguards taken away",
            ("safeguard", "what was missing", "seeds", "broken first"),
            [
                (
                    each.name,
                    ABLATIONS[each.name].what,
                    each.tried if each.found is not None else f"not found in {each.tried}",
                    ", ".join(map(str, each.numbers)),
                )
                for each in ordered
            ],
        )
        for name, why in SHOWN_ELSEWHERE.items():
            show(f"{name}: {why}", "dim")
    if missed:
        raise Ended(Code.RED, f"nobody missed: {', '.join(missed)}")


def _list(*, as_json: bool) -> None:
    from argos_simulation.ablations import ABLATIONS
    from argos_simulation.faults import NAMES
    from argos_simulation.invariants import INVARIANTS

    if as_json:
        show_json(
            {
                "faults": list(NAMES),
                "invariants": [
                    {"number": number, "name": name, "sentence": sentence}
                    for number, (name, sentence) in INVARIANTS.items()
                ],
                "safeguards": {name: each.what for name, each in ABLATIONS.items()},
            }
        )
        return
    show_table("Faults", ("fault",), [(name,) for name in NAMES])
    show_table(
        "Invariants",
        ("no.", "name", "what must hold"),
        [(number, name, sentence) for number, (name, sentence) in INVARIANTS.items()],
    )
    show_table(
        "Safeguards",
        ("safeguard", "what is missing without it"),
        [(name, each.what) for name, each in ABLATIONS.items()],
    )
