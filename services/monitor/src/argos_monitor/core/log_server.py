"""What the log's server says of itself, out of the JSON of its monitoring pages.

A page of another version may lack a field: what is not there counts as nothing, and only the
stream's own entry must be found for its figures to be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

Page = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFigures:
    """`pending`: entries not delivered yet to the reader that is furthest behind.

    `leads`: whether this server leads the stream; one that keeps it alone does.
    """

    leads: bool
    messages: int
    stored_bytes: int
    consumers: int
    pending: int
    redelivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFigures:
    """Counts of messages and bytes are since the server started; `cpu_ratio` of one core."""

    connections: int
    slow_consumers: int
    memory_bytes: int
    cpu_ratio: Decimal
    messages: Mapping[str, int]
    transferred_bytes: Mapping[str, int]
    stream: StreamFigures | None


def server_figures(varz: Page, jsz: Page, stream: str) -> ServerFigures:
    """The figures in /varz and in /jsz with streams and consumers, of one stream by name."""
    return ServerFigures(
        connections=_whole(varz, "connections"),
        slow_consumers=_whole(varz, "slow_consumers"),
        memory_bytes=_whole(varz, "mem"),
        cpu_ratio=_number(varz, "cpu") / 100,
        messages={"in": _whole(varz, "in_msgs"), "out": _whole(varz, "out_msgs")},
        transferred_bytes={"in": _whole(varz, "in_bytes"), "out": _whole(varz, "out_bytes")},
        stream=_stream(jsz, stream, varz.get("server_name")),
    )


def most_telling(servers: Sequence[ServerFigures]) -> ServerFigures | None:
    """Of a cluster's servers the one that leads the stream, else any of them."""
    leading = [each for each in servers if each.stream is not None and each.stream.leads]
    return next(iter([*leading, *servers]), None)


def _stream(jsz: Page, name: str, server: object) -> StreamFigures | None:
    for account in _pages(jsz, "account_details"):
        for found in _pages(account, "stream_detail"):
            if found.get("name") != name:
                continue
            state = found.get("state")
            held = state if isinstance(state, Mapping) else {}
            consumers = _pages(found, "consumer_detail")
            cluster = found.get("cluster")
            return StreamFigures(
                leads=not isinstance(cluster, Mapping) or cluster.get("leader") == server,
                messages=_whole(held, "messages"),
                stored_bytes=_whole(held, "bytes"),
                consumers=_whole(held, "consumer_count"),
                pending=max((_whole(each, "num_pending") for each in consumers), default=0),
                redelivered=sum(_whole(each, "num_redelivered") for each in consumers),
            )
    return None


def _pages(page: Page, name: str) -> list[Page]:
    value = page.get(name)
    if not isinstance(value, Sequence):
        return []
    return [each for each in value if isinstance(each, Mapping)]


def _number(page: Page, name: str) -> Decimal:
    try:
        return Decimal(str(page.get(name, 0)))
    except InvalidOperation:
        return Decimal(0)


def _whole(page: Page, name: str) -> int:
    return int(_number(page, name))
