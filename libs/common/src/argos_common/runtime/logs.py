"""Logs: JSON lines in the state folder, short lines for a person on stderr.

`<state>/logs/<service>.jsonl` starts anew at midnight UTC and seven old files are kept. Whatever a
library logs through `logging` takes the same way. Secrets are taken out of every record before it
is written: by the name of the field, by the form of a webhook address, and by value.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import Clock
from argos_common.runtime.times import utc_text

Logger = FilteringBoundLogger
KEPT_DAYS = 7
HIDDEN = "***"

_SECRET_KEY = re.compile(
    r"secret|password|passwd|token|api_?key|authorization|seed_file", re.IGNORECASE
)
_WEBHOOK = re.compile(r"(/v1/webhooks/[^/\s]+/)[^/\s?\"']+")
_SHOWN_FIRST = ("event", "level", "time", "service", "incarnation", "exception", "logger")
_SHORTEST = 6
_hidden_values: set[str] = set()


def hide_value(secret: str) -> None:
    """From now on this text appears in no log record. Very short texts are not accepted."""
    if len(secret) >= _SHORTEST:
        _hidden_values.add(secret)


def redact(text: str) -> str:
    """A text without the secrets that can be recognised in it."""
    text = _WEBHOOK.sub(r"\1" + HIDDEN, text)
    for secret in _hidden_values:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def _clean(value: Any) -> Any:  # log fields are of any kind
    match value:
        case str():
            return redact(value)
        case bytes():
            return redact(value.decode("utf-8", "replace"))
        case dict():
            return {key: _clean_field(str(key), item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case None | bool() | int():
            return value
        case _:
            return redact(str(value))


def _clean_field(key: str, value: Any) -> Any:  # log fields are of any kind
    return HIDDEN if _SECRET_KEY.search(key) and value else _clean(value)


def _redact_all(_: Any, __: str, record: EventDict) -> EventDict:  # structlog's own signature
    return {key: _clean_field(key, value) for key, value in record.items()}


def configure_logs(
    service: str, state_dir: Path, incarnation: str, clock: Clock, level: str = "info"
) -> Logger:
    """Set up the process's logs once, at start. Raises OurMistake if the folder is not writable."""
    folder = state_dir / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = TimedRotatingFileHandler(
            folder / f"{service}.jsonl",
            when="midnight",
            utc=True,
            backupCount=KEPT_DAYS,
            encoding="utf-8",
        )
    except OSError as error:
        raise OurMistake(
            f"the state folder {state_dir} cannot be written ({error.strerror}): correct its"
            " permissions, or name another with ARGOS_STATE"
        ) from None

    def stamp(_: Any, __: str, record: EventDict) -> EventDict:  # structlog's own signature
        record["time"] = utc_text(clock.now_ns())
        record["service"], record["incarnation"] = service, incarnation
        return record

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
        _redact_all,
    ]
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(_formatter(shared, _for_a_person))
    file.setFormatter(_formatter(shared, structlog.processors.JSONRenderer(default=str)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(file)
    root.addHandler(console)
    root.setLevel(level.upper())
    for noisy in ("httpx", "asyncio", "nats", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logger: Logger = structlog.get_logger(service)
    return logger


def close_logs() -> None:
    """Write out and close what `configure_logs` opened."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Every record within has these fields: trade_id, bot_version, account and so on."""
    tokens = structlog.contextvars.bind_contextvars(**fields)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**tokens)


def _formatter(shared: list[Processor], last: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _for_a_person(_: Any, __: str, record: MutableMapping[str, Any]) -> str:  # structlog's own
    """One short line; the traceback, if any, is in the file."""
    time = str(record.get("time", ""))[11:23]
    fields = " ".join(f"{key}={value}" for key, value in record.items() if key not in _SHOWN_FIRST)
    words = (time, record.get("service", ""), record.get("level", ""), record.get("event", ""))
    return "  ".join(str(word) for word in (*words, fields) if word)
