"""`argos log tail | export | restore`: the record itself."""

from __future__ import annotations

import asyncio
import fnmatch
import sys
from pathlib import Path
from typing import Annotated

import typer
from argos_common.wire.codec import to_plain
from argos_common.wire.subjects import PREFIX
from argos_monitor.core.words import sentence

from argos_cli.audit.tone import tone
from argos_cli.client.history import Recorded, follow, read_now, to_line
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.commands.restore import restore
from argos_cli.exits import run, usage
from argos_cli.output import clock_text, say, show, show_json

log = typer.Typer(no_args_is_help=True, help="The record of everything decided or happened.")
log.command()(restore)


@log.command()
def tail(
    state: StateOption = DEFAULT_STATE,
    from_: Annotated[
        int, typer.Option("--from", min=0, help="First entry; 0: only the last 20.")
    ] = 0,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    subject: Annotated[
        str, typer.Option("--subject", help="Only such subjects, as in order.mt5-hedge.*")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show entries, decoded; with --json one object per line."""
    run(_tail(state, from_, subject, follow_on=follow_on, as_json=as_json))


async def _tail(state: Path, first: int, subject: str, *, follow_on: bool, as_json: bool) -> None:
    async with open_fleet(state, stopped_too=not follow_on) as opened:
        last = (await opened.log.status()).last_sequence
        after = first - 1 if first else (0 if subject else max(0, last - 20))
        shown = [item for item in await read_now(opened.log, after) if _wanted(item, subject)]
        for item in shown if first else shown[-20:]:
            _show(item, as_json=as_json)
        if not shown:
            say(f"no such entries: the log ends at entry {last}", "dim")
        if not follow_on:
            return
        try:
            async for item in follow(opened.log, last):
                if _wanted(item, subject):
                    _show(item, as_json=as_json)
        except asyncio.CancelledError:
            pass  # Ctrl-C is how following ends


def _wanted(item: Recorded, subject: str) -> bool:
    if not subject:
        return True
    pattern = subject.removeprefix(PREFIX).replace(">", "*")
    return fnmatch.fnmatchcase(item.entry.subject.removeprefix(PREFIX), pattern)


def _show(item: Recorded, *, as_json: bool) -> None:
    entry, event = item.entry, item.event
    if as_json:
        show_json(
            {
                "sequence": entry.sequence,
                "subject": entry.subject,
                "appended_ns": entry.appended_ns,
                "kind": item.kind,
                "event": to_plain(event) if event is not None else None,
            },
            indent=None,
        )
        return
    text = sentence(event) if event is not None else "CANNOT BE DECODED: a dead letter"
    show(
        f"{entry.sequence:>7}  {clock_text(entry.appended_ns)}  {item.kind:<20}  {text}",
        tone(event),
    )


@log.command()
def export(
    state: StateOption = DEFAULT_STATE,
    out: Annotated[Path | None, typer.Option("--out", help="The file; stdout if left out.")] = None,
    from_: Annotated[int, typer.Option("--from", min=1, help="First entry.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Write entries with their raw bytes, one JSON object per line, for `argos replay`.

    On stdout those lines are the JSON; with --out, --json tells how many went where.
    """
    items = run(_stored(state, from_))
    lines = "".join(to_line(item) + "\n" for item in items)
    if out is None:
        sys.stdout.write(lines)
        return
    try:
        out.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise usage(f"{out} cannot be written ({error.strerror}): choose another --out") from None
    if as_json:
        show_json({"entries": len(items), "file": str(out)})
        return
    say(f"{len(items)} entries written to {out}", "good")


async def _stored(state: Path, first: int) -> list[Recorded]:
    async with open_fleet(state, stopped_too=True) as opened:
        return await read_now(opened.log, first - 1)
