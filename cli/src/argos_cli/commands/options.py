"""The options that many commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from argos_cli.exits import usage

StateOption = Annotated[
    Path,
    typer.Option(
        "--state", envvar="ARGOS_STATE", help="The fleet's state folder.", show_default=True
    ),
]
ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", "--file", envvar="ARGOS_CONFIG", help="The fleet's configuration file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it goes on record.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who; the user's name if left out.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]

DEFAULT_STATE = Path(".argos")
DEFAULT_CONFIG = Path("fleet.toml")


def finite(value: float) -> float:
    """What an option may be: `nan` and `inf` pass every comparison. Raises Ended (usage)."""
    if not math.isfinite(value):
        raise usage(f"{value} is no length of time: give a number")
    return value


def port_overrides(given: list[str]) -> dict[str, int]:
    """`NAME=PORT` texts as a mapping. Raises Ended (usage)."""
    found: dict[str, int] = {}
    for text in given:
        name, _, port = text.partition("=")
        if not name or not port.isdigit() or int(port) > 65_535:  # ports end there
            raise usage(f"--port {text!r} is not NAME=PORT: write for instance --port gateway=8700")
        found[name] = int(port)
    return found
