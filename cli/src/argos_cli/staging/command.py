"""`argos staging`: the jobs of docker-compose.yml, each safe to run again.

secrets    make the secrets that are missing
certificates   make the certificates that a cluster of log servers is missing
check      refuse real money, or with --trade live what is not ready for it
log        make the log's stream, or say what differs from what it must be
database   make the ledger's roles and tables
rotate, retire, token   replace one secret without a gap
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.environment import Environment, read_environment
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NoAnswer,
    NobodyThere,
    NotSent,
    connect,
)
from argos_common.runtime.nats_log import stream_name
from argos_common.runtime.provision import ensure_stream, verify_sync_always
from argos_common.runtime.service_nats import nats_settings
from argos_common.runtime.settings import load_fleet

from argos_cli.commands.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from argos_cli.exits import Code, Ended, run, unreachable, usage
from argos_cli.output import say, show, show_json
from argos_cli.staging.certificates import Certificates
from argos_cli.staging.live import (
    NO_HOST,
    NOT_ARMED,
    live_mistakes,
    paper_mistakes,
    unreachable_nodes,
)
from argos_cli.staging.secret_files import ROLES, Change, SecretFiles, joined

staging = typer.Typer(no_args_is_help=True, help="The jobs of docker-compose.yml.")
CONNECT_S = 30.0
RootOption = Annotated[
    Path, typer.Option("--root", help="The folder with one folder for each service.")
]
ROOT = Path("/volumes")


@staging.command()
def secrets(
    config: ConfigOption = DEFAULT_CONFIG, root: RootOption = ROOT, as_json: JsonOption = False
) -> None:
    """Make every secret that is missing; what is there stays as it is."""
    _tell(_files(root, config).make_missing(), "made", as_json=as_json)


@staging.command()
def certificates(
    servers: Annotated[list[str], typer.Argument(help="The host name of each log server.")],
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """Make the certificates that servers and services lack, or that soon end."""
    wrong = [name for name in servers if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", name)]
    if wrong:
        raise usage(f"{wrong[0]!r} is no host name: name each log server as it is dialled")
    made = Certificates(root, servers).make_missing()
    _tell(Change(made=made), "made", as_json=as_json)


@staging.command()
def rotate(
    names: Annotated[
        list[str], typer.Argument(help="Each token:SOURCE, nats:SERVICE or postgres:ROLE.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """Replace secrets; a token or key that is replaced stays valid until it is retired."""
    files = _files(root, config)
    _tell(joined(files.rotate(name) for name in names), "replaced", as_json=as_json)


@staging.command()
def retire(
    names: Annotated[list[str], typer.Argument(help="Each token:SOURCE or nats:SERVICE.")],
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """End the validity of what `rotate` replaced."""
    files = _files(root, config)
    _tell(joined(files.retire(name) for name in names), "only the newest is valid", as_json=as_json)


@staging.command()
def token(
    source: Annotated[str, typer.Argument(help="Whose token.")],
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show a source's newest token, to put it into its alerts. It is a secret."""
    found = _files(root, config).token(source)
    if as_json:
        show_json({"source": source, "token": found})
    else:
        show(found)


@staging.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    trade: Annotated[str, typer.Option("--trade", help="What is meant: paper or live.")] = "paper",
    host: Annotated[
        str | None,
        typer.Option("--host", help="Where the terminal's Windows host is; may be empty."),
    ] = None,
    only_live: Annotated[
        bool, typer.Option("--only-live", help="Refuse paper: there are no simulated nodes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Refuse a configuration that could trade real money, unless that is what is meant."""
    if trade not in {"paper", "live"}:
        raise usage(f"ARGOS_TRADE is {trade!r}: use paper or live")
    environment, live = read_environment(os.environ), trade == "live"
    fleet = load_fleet(config)
    if live and host == "":
        wrong = [NO_HOST]
    elif only_live and not live:
        wrong = [NOT_ARMED]
    else:
        wrong = list(live_mistakes(fleet, environment) if live else paper_mistakes(fleet))
    if live and not wrong:
        wrong = run(unreachable_nodes(fleet, environment))
    if as_json:
        show_json({"ok": not wrong, "live": live, "mistakes": wrong})
    if wrong:
        raise Ended(Code.RED, "; ".join(wrong))
    if not as_json:
        show("real money: armed and reachable" if live else "paper only", "good")


@staging.command()
def log(as_json: JsonOption = False) -> None:
    """Make the log's stream, or compare it: a difference is an error that names each field."""
    name = run(_provision())
    if as_json:
        show_json({"stream": name, "as_it_must_be": True})
    else:
        show(f"{name} is as it must be", "good")


async def _provision() -> str:
    environment = read_environment(os.environ)
    if not environment.nats_url or not environment.nats_monitor_url:
        raise ConfigMistake("say where NATS is: set ARGOS_NATS_URL and ARGOS_NATS_MONITOR_URL")
    settings = nats_settings(environment, environment.nats_url, "provision")
    connection = await connect(settings, timeout_s=CONNECT_S)
    try:
        async with asyncio.timeout(CONNECT_S):
            await _until_made(connection, environment)
        await verify_sync_always(environment.nats_monitor_url)
    except TimeoutError:
        raise unreachable(f"NATS did not answer within {CONNECT_S:g} s: see its own log") from None
    finally:
        await connection.close()
    return stream_name(environment.generation)


async def _until_made(connection: NatsConnection, environment: Environment) -> None:
    while True:
        try:
            await ensure_stream(
                connection,
                environment.generation,
                max_bytes=environment.log_max_bytes,
                replicas=environment.log_replicas,
            )
        except (NotSent, NobodyThere, NoAnswer) as error:
            say(f"waiting for the log ({error})")
            await asyncio.sleep(1.0)
        else:
            return


@staging.command()
def database(
    passwords: Annotated[
        Path, typer.Option("--passwords", help="The folder with <role>.password files.")
    ] = Path("/var/lib/argos/secrets"),
    as_json: JsonOption = False,
) -> None:
    """Make the ledger's roles, with the passwords of the day, and its tables."""
    from argos_cli.staging.database import prepare_database  # half a second to import

    url = os.environ.get("ARGOS_DATABASE_OWNER_URL", "")
    if not url:
        raise ConfigMistake("say where the database is: set ARGOS_DATABASE_OWNER_URL")
    found = {role: read_secret_file(passwords / f"{role}.password").reveal() for role in ROLES}
    version = prepare_database(url, found)
    if as_json:
        show_json({"roles": list(found), "tables": version})
    else:
        show(f"the ledger's roles are set, its tables are of version {version}", "good")


def _files(root: Path, config: Path) -> SecretFiles:
    return SecretFiles(root, load_fleet(config), SystemEntropy())


def _tell(change: Change, word: str, *, as_json: bool) -> None:
    if as_json:
        show_json(asdict(change))
        return
    show(f"{word}: {', '.join(change.made) or 'nothing'}", "good")
    for step in change.next_steps:
        say(f"next: {step}")
