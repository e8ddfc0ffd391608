"""`argos signal send`: a signal through the same door as everyone's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from argos_common.domain.errors import BadInput, OurMistake
from argos_common.runtime.bus import NoReply
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.times import utc_text
from argos_common.wire import subjects

from argos_cli.client.http import request
from argos_cli.client.opened import open_fleet, running_record
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import Code, Ended, run, unreachable, usage
from argos_cli.output import show, show_json

signal = typer.Typer(no_args_is_help=True, help="Signals.")
TIMEOUT_S = 10.0
BAD_REQUEST, SERVER_ERROR = 400, 500


@signal.command()
def send(  # noqa: PLR0913  # one option for each field of a signal
    file: Annotated[
        Path | None, typer.Argument(help="A JSON file, or - for stdin; else use the options.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="As which source.")] = "argos",
    via: Annotated[str, typer.Option("--via", help="http or nats.")] = "http",
    strategy: Annotated[str, typer.Option("--strategy")] = "",
    bot_version: Annotated[str, typer.Option("--bot-version")] = "",
    symbol: Annotated[str, typer.Option("--symbol")] = "",
    action: Annotated[str, typer.Option("--action", help="buy, sell, exit …")] = "",
    quantity: Annotated[str, typer.Option("--quantity")] = "",
    stop: Annotated[str, typer.Option("--stop", help="The stop's price.")] = "",
    signal_id: Annotated[str, typer.Option("--id", help="The sender's own id.")] = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Send one signal and show what the gateway answered."""
    if via not in {"http", "nats"}:
        raise usage(f"--via {via!r} is not known: use http or nats")
    try:
        subjects.token(source)
    except OurMistake as error:
        raise usage(f"--source {error}") from None
    options = {
        "strategy": strategy,
        "bot_version": bot_version,
        "ticker": symbol,
        "action": action,
        "quantity": quantity,
        "id": signal_id,
    }
    body = _body(file, options, stop)
    status, answer = run(send_signal(state, source, body, via=via))
    if as_json:
        show_json({"status": status, "answer": answer})
    else:
        words = json.dumps(answer, ensure_ascii=False) if isinstance(answer, dict) else str(answer)
        show(words, "good" if status < BAD_REQUEST else "warn")
    if status >= SERVER_ERROR:
        raise Ended(Code.UNREACHABLE, "not accepted for now: send it again, that is harmless")
    if status >= BAD_REQUEST:
        raise Ended(Code.FAILED, "the signal was not accepted")


def _body(file: Path | None, options: dict[str, str], stop: str) -> bytes:
    if file is not None:
        if any(options.values()) or stop:
            raise usage("give either a file or options that describe the signal, not both")
        try:
            return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise BadInput(f"{file} cannot be read ({error.strerror}): name a JSON file") from None
    missing = [f"--{name}" for name in ("strategy", "action") if not options[name]]
    if not options["ticker"]:
        missing.append("--symbol")
    if missing:
        raise usage(f"say which signal: give a file, or {', '.join(missing)}")
    document: dict[str, Any] = {name: value for name, value in options.items() if value}
    if stop:
        document["stopLoss"] = {"type": "stop", "stopPrice": stop}
    document["time"] = utc_text(SystemClock().now_ns())
    return json.dumps(document).encode()


async def send_signal(state: Path, source: str, body: bytes, *, via: str) -> tuple[int, Any]:
    """(HTTP status, answer). Over NATS the answer carries the status."""
    return await (_over_http if via == "http" else _over_nats)(state, source, body)


async def _over_http(state: Path, source: str, body: bytes) -> tuple[int, Any]:
    record = running_record(state)
    if source not in record.token_files:
        known = ", ".join(record.token_files) or "none"
        raise usage(f"there is no token for the source {source!r} here: known are {known}")
    token = read_secret_file(Path(record.token_files[source])).reveal()
    url = record.urls["gateway"]
    try:
        response = await request(
            f"{url}/v1/webhooks/{source}/{token}",
            method="POST",
            body=body,
            headers={"Content-Type": "application/json"},
            timeout_s=TIMEOUT_S,
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise unreachable(f"the gateway at {url} does not answer ({_reason(error)})") from None
    try:
        return response.status, response.json()
    except ValueError:
        return response.status, response.body.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    return str(error) or "no answer in time"


async def _over_nats(state: Path, source: str, body: bytes) -> tuple[int, Any]:
    async with open_fleet(state) as opened:
        subject = f"{subjects.INJECT}.{subjects.token(source)}"
        try:
            reply = await opened.bus.request(subject, body, TIMEOUT_S)
        except NoReply as error:
            raise unreachable(f"the gateway does not answer on {subject} ({error})") from None
    answer = json.loads(reply)
    status = answer.get("http_status", 200) if isinstance(answer, dict) else BAD_REQUEST
    return (status if isinstance(status, int) else BAD_REQUEST), answer
