"""The `argos` command: every sub-command is registered here and lives in `commands`.

Exit codes and one-sentence errors: see `exits`. Another package of commands is added by importing
its function at the end of this file and registering it with `app.command()`.
"""

from __future__ import annotations

import typer

from argos_cli.bench.command import bench
from argos_cli.commands.chaos import chaos
from argos_cli.commands.config import config
from argos_cli.commands.control import flatten, kill, resume
from argos_cli.commands.discrepancy import discrepancy
from argos_cli.commands.ledger import ledger
from argos_cli.commands.log import log
from argos_cli.commands.replay import replay
from argos_cli.commands.signal import signal
from argos_cli.commands.simulate import simulate
from argos_cli.commands.status import status
from argos_cli.commands.trades import trade, trades
from argos_cli.commands.up import up
from argos_cli.commands.verify import verify
from argos_cli.demo.command import demo
from argos_cli.exits import OneSentence
from argos_cli.staging.command import staging

app = typer.Typer(
    cls=OneSentence,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Trading signals into broker orders, with proof of what became of each. Data goes to stdout,"
        " talk to stderr. Exit codes: 0 done, 1 failed, 2 used wrongly, 3 a check is red,"
        " 4 not reachable."
    ),
)

app.command()(demo)
app.command()(bench)
app.command()(up)
app.command()(status)
app.command()(verify)
app.add_typer(config, name="config")
app.add_typer(signal, name="signal")
app.command()(trades)
app.add_typer(trade, name="trade")
app.command()(kill)
app.command()(resume)
app.command()(flatten)
app.add_typer(discrepancy, name="discrepancy")
app.add_typer(log, name="log")
app.command()(replay)
app.command()(simulate)
app.command("sim", hidden=True)(simulate)
app.command()(chaos)
app.add_typer(ledger, name="ledger")
app.add_typer(staging, name="staging")
