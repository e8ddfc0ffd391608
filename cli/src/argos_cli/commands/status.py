"""`argos status`: can it trade now, and what needs a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from argos_cli.client.http import get_json
from argos_cli.client.opened import running_record
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import Code, Ended, run
from argos_cli.output import show, show_json, show_table


def status(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show the fleet's health; exit 3 if something is wrong, 4 if the monitor is not there."""
    document = run(fetch_status(state))
    if as_json:
        show_json(document)
    else:
        _show(document)
    if not is_healthy(document):
        raise Ended(Code.RED)


async def fetch_status(state: Path) -> dict[str, Any]:
    """The monitor's own document. Raises Ended (not reachable)."""
    record = running_record(state)
    found = await get_json(record.urls["monitor"] + "/api/system/status", "the monitor")
    return found if isinstance(found, dict) else {"status": "unreadable"}


def is_healthy(document: dict[str, Any]) -> bool:
    """The monitor's own judgement; a document without one is not healthy."""
    return document.get("healthy") is True


def _show(document: dict[str, Any]) -> None:
    """The overall word first, then every table and value the monitor gives."""
    healthy = is_healthy(document)
    show(f"{str(document.get('status', 'unknown')).upper()}", "good" if healthy else "error")
    plain: list[tuple[str, object]] = []
    for key, value in document.items():
        if key == "status":
            continue
        if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
            _table(key, [{"name": name} | each for name, each in value.items()])
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            _table(key, value)
        else:
            plain.append((key, value))
    show_table("", ("what", "value"), [(k, _text(v)) for k, v in plain])


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    show_table(
        title.replace("_", " "),
        [column.replace("_", " ") for column in columns],
        [[_text(row.get(column)) for column in columns] for row in rows],
    )
    show("")


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {_text(each)}" for key, each in value.items()) or "-"
        case list():
            return ", ".join(_text(each) for each in value) or "-"
        case _:
            return str(value)
