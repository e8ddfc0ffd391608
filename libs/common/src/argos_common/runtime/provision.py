"""Making the log's stream once, and refusing to run on one that is not what it should be.

A stream that differs in a single field can lose what was acknowledged. So the whole configuration
that matters is compared on every start, by the fields' own names, and a difference is never
repaired by itself. The server's `sync_always` is compared too: its default acknowledges up to two
minutes before it writes to disk.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.nats_answers import NOT_FOUND_STREAM, NOT_NOW
from argos_common.runtime.nats_connection import NatsConnection, NoAnswer, NobodyThere, NotSent
from argos_common.runtime.nats_log import stream_name
from argos_common.wire.subjects import ALL

DUPLICATE_WINDOW_NS = 3600 * NS_PER_S
MAX_BYTES = 16 * 1024**3
TIMEOUT_S = 10.0

_JSON = dict[str, object]


def stream_config(generation: str, *, max_bytes: int, replicas: int) -> _JSON:
    """Every field that matters, with the value it must have. Times are in nanoseconds."""
    return {
        "name": stream_name(generation),
        "subjects": [ALL],
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "discard": "new",
        "max_bytes": max_bytes,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "max_age": 0,
        "max_consumers": -1,
        "duplicate_window": DUPLICATE_WINDOW_NS,
        "compression": "none",
        "deny_delete": True,
        "deny_purge": True,
        "sealed": False,
        "no_ack": False,
        "allow_atomic": True,
        "allow_direct": False,
        "allow_rollup_hdrs": False,
        "allow_msg_ttl": False,
        "allow_msg_counter": False,
        "allow_msg_schedules": False,
    }


_MUST_BE_ABSENT = ("mirror", "sources", "subject_transform", "republish", "persist_mode")
"""Fields that change what an acknowledgement means, and that we never set."""


async def ensure_stream(
    connection: NatsConnection,
    generation: str = "g1",
    *,
    max_bytes: int = MAX_BYTES,
    replicas: int = 1,
) -> None:
    """Create the stream if it is absent, compare it if it is there.

    Raises:
        OurMistake: it differs (each field is named with both values), it cannot be created, or a
            permission is missing.
        NotSent, NobodyThere, NoAnswer: the server does not answer, or a cluster has no leader
            yet; wait and try again.
    """
    wanted = stream_config(generation, max_bytes=max_bytes, replicas=replicas)
    name = wanted["name"]
    answer = await _ask(connection, f"$JS.API.STREAM.INFO.{name}", {})
    if _error_code(answer) == NOT_FOUND_STREAM:
        answer = await _ask(connection, f"$JS.API.STREAM.CREATE.{name}", wanted)
    if _error_code(answer) in NOT_NOW:
        raise NoAnswer(_error_text(answer))
    if _error_code(answer):
        raise OurMistake(f"the log's stream {name} cannot be made: {_error_text(answer)}")
    config = answer.get("config")
    drift = differences(wanted, config if isinstance(config, dict) else {})
    if drift:
        raise OurMistake(
            f"the log's stream {name} is not configured as it must be: {'; '.join(drift)};"
            " correct it by hand, or the setting it was compared with"
        )


def differences(wanted: _JSON, found: _JSON) -> list[str]:
    """One sentence for each field that differs. The server leaves out what is false or none."""
    sentences = []
    for field, value in wanted.items():
        actual = found.get(field, False if isinstance(value, bool) else None)
        if actual != value:
            sentences.append(f"{field} is {actual!r}, must be {value!r}")
    sentences += [
        f"{field} is {found[field]!r}, must not be set"
        for field in _MUST_BE_ABSENT
        if found.get(field) not in {None, "", "default"}
    ]
    return sentences


async def verify_sync_always(monitor_urls: str, timeout_s: float = 5.0) -> None:
    """Ask the servers' monitoring whether they write to disk before they acknowledge.

    `monitor_urls` names every server, separated by commas. Of three, one may be away: the log is
    kept by the other two.

    Raises:
        OurMistake: one does not, or the monitoring of half of them or more cannot be reached.
    """
    urls = [url.rstrip("/") + "/varz" for url in monitor_urls.split(",")]
    unread: list[str] = []
    for url in urls:
        try:
            answer = await asyncio.to_thread(fetch_json, url, timeout_s)
        except (OSError, ValueError) as error:
            unread.append(f"NATS monitoring at {url} cannot be read ({error})")
            continue
        jetstream = answer.get("jetstream")
        config = jetstream.get("config") if isinstance(jetstream, dict) else None
        if not isinstance(config, dict) or config.get("sync_always") is not True:
            raise OurMistake(
                "the NATS server acknowledges before it writes to disk: set `sync_interval: always`"
                f" in its jetstream section and restart it ({url})"
            )
    if 2 * len(unread) >= len(urls):
        raise OurMistake(f"{'; '.join(unread)}: correct the address, or start it")


def fetch_json(url: str, timeout_s: float) -> _JSON:
    """GET one JSON object, never through a proxy. Raises OSError or ValueError."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not an http address")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=timeout_s) as response:
        answer = json.load(response)
    if not isinstance(answer, dict):
        raise ValueError(f"{url} gave no JSON object")
    return answer


async def _ask(connection: NatsConnection, subject: str, question: _JSON) -> _JSON:
    payload = json.dumps(question).encode() if question else b""
    try:
        reply = await connection.request(subject, payload, TIMEOUT_S)
    except (NotSent, NobodyThere):
        raise
    except NoAnswer:
        await connection.assert_permitted()
        raise
    answer = json.loads(reply.data)
    return answer if isinstance(answer, dict) else {}


def _error_code(answer: _JSON) -> int:
    error = answer.get("error")
    return int(error.get("err_code", 1)) if isinstance(error, dict) else 0


def _error_text(answer: _JSON) -> str:
    error = answer.get("error")
    return (
        f"{error.get('description')} (error {_error_code(answer)})"
        if isinstance(error, dict)
        else ""
    )
