"""The log on NATS JetStream. What the answers mean is said in `log`, how they are found here.

Every append names the stream it believes in, carries its condition in headers and waits for the
server's own word. Silence is `Unknown`, always: the bytes may lie in a frozen server's socket.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.append_rules import check_append, check_batch
from argos_common.runtime.clock import Clock, SystemClock
from argos_common.runtime.entropy import Entropy, SystemEntropy
from argos_common.runtime.log import Answer, Append, Busy, Entry, LogStatus, LogUnavailable, Unknown
from argos_common.runtime.nats_answers import (
    APPENDED_HEADER,
    NOT_FOUND_MESSAGE,
    answer_of,
    headers_for,
)
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NoAnswer,
    NobodyThere,
    NotSent,
)
from argos_common.runtime.nats_reader import NatsReader

STREAM_PREFIX = "ARGOS_"
TIMEOUT_S = 2.0

_FIRST_APPENDED = re.compile(rf"\r\n{APPENDED_HEADER}: *(\d+)\r\n".encode())
_TIME = re.compile(r"(.+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z")


def stream_name(generation: str) -> str:
    """The stream that holds one generation of the log."""
    if not re.fullmatch(r"[a-z0-9]{1,16}", generation):
        raise OurMistake(f"{generation!r} is not a generation: use lower-case letters and digits")
    return STREAM_PREFIX + generation


class NatsLog:
    """Implements `Log`. Safe for any number of tasks; `timeout_s` bounds every question."""

    def __init__(
        self,
        connection: NatsConnection,
        generation: str = "g1",
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._connection = connection
        self._generation = generation
        self._stream = stream_name(generation)
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()

    async def append(self, append: Append) -> Answer:
        """Append one event. Raises OurMistake for what could never be stored, nothing else."""
        check_append(append)
        return await self._ask(append, headers_for(append, self._stream), [append])

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        """Append all or nothing.

        `Exists`: at least one of them is on record already. A condition that fails is `Stale`
        unless all of the batch are create-once; which one failed the server does not say.
        """
        check_batch(appends)
        if len(appends) == 1:
            return await self.append(appends[0])
        batch_id = self._entropy.token(16).hex()
        headers = {}
        for number, append in enumerate(appends, start=1):
            headers = headers_for(append, self._stream)
            headers["Nats-Batch-Id"] = batch_id
            headers["Nats-Batch-Sequence"] = str(number)
            if number == len(appends):
                break
            try:
                await self._connection.publish(append.subject, append.data, headers)
            except NotSent as error:
                return Busy(str(error))  # without its end the server forgets the beginning
        headers["Nats-Batch-Commit"] = "1"
        return await self._ask(appends[-1], headers, appends)

    def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncGenerator[Entry, None]:
        """Every entry above `after`, in order, each once, for ever.

        Raises OurMistake if the log ends before `after`, now or after a reconnect: then it is not
        the log that was read. Close it (`aclose`) to free the server's side at once.
        """
        return NatsReader(
            self._connection,
            self._stream,
            after=after,
            subjects=subjects,
            clock=self._clock,
            timeout_s=self._timeout_s,
        ).entries()

    async def last(self, subject: str) -> Entry | None:
        """The newest entry of one literal subject, from the leader. Raises LogUnavailable."""
        answer = await self._api("STREAM.MSG.GET", {"last_by_subj": subject})
        if answer is None:
            return None
        message = answer["message"]
        assert isinstance(message, dict)  # noqa: S101  # the server's own format
        first = _FIRST_APPENDED.search(base64.b64decode(message.get("hdrs", "")))
        return Entry(
            sequence=int(message["seq"]),
            subject=str(message["subject"]),
            data=base64.b64decode(message.get("data", "")),
            appended_ns=int(first[1]) if first else parse_time_ns(str(message["time"])),
        )

    async def status(self) -> LogStatus:
        """Generation, last sequence and fill level, from the leader. Raises LogUnavailable."""
        answer = await self._api("STREAM.INFO", {})
        if answer is None:
            raise LogUnavailable(f"the stream {self._stream} does not exist")
        state, config = answer["state"], answer["config"]
        assert isinstance(state, dict)  # noqa: S101  # the server's own format
        assert isinstance(config, dict)  # noqa: S101  # the same
        allowed = int(config.get("max_bytes", -1))
        return LogStatus(
            generation=self._generation,
            last_sequence=int(state["last_seq"]),
            used_ratio=int(state["bytes"]) / allowed if allowed > 0 else 0.0,
        )

    async def tail(self) -> int:
        """The last sequence: a reader that has folded it has caught up. Raises LogUnavailable."""
        return (await self.status()).last_sequence

    async def _ask(
        self, last: Append, headers: dict[str, str], appends: Sequence[Append]
    ) -> Answer:
        try:
            reply = await self._connection.request(
                last.subject, last.data, self._timeout_s, headers
            )
        except NotSent as error:
            return Busy(str(error))
        except NobodyThere:
            return Busy("no server serves the log at the moment")
        except NoAnswer as error:
            return Unknown(str(error))
        return answer_of(reply.data, appends)

    async def _api(self, call: str, question: dict[str, object]) -> dict[str, object] | None:
        """The answer, or None if there is no such message. Raises LogUnavailable."""
        payload = json.dumps(question).encode() if question else b""
        subject = f"$JS.API.{call}.{self._stream}"
        try:
            reply = await self._connection.request(subject, payload, self._timeout_s)
        except (NotSent, NobodyThere, NoAnswer) as error:
            raise LogUnavailable(str(error)) from error
        answer = json.loads(reply.data)
        assert isinstance(answer, dict)  # noqa: S101  # the server's own format
        refusal = answer.get("error")
        if refusal is None:
            return answer
        if refusal.get("err_code") == NOT_FOUND_MESSAGE:
            return None
        raise LogUnavailable(f"{refusal.get('description')} (error {refusal.get('err_code')})")


def parse_time_ns(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time with up to nine decimals."""
    match = _TIME.match(text)
    if match is None:
        raise LogUnavailable(f"the server gave a time that cannot be read: {text!r}")
    zone = "+00:00" if match[3] == "Z" else match[3]
    seconds = int(datetime.fromisoformat(match[1] + zone).timestamp())
    return seconds * NS_PER_S + int((match[2] or "").ljust(9, "0"))
