"""The port `Node` over gRPC, as a bridge or a reconciler uses it.

Every call has a time limit, and gRPC's own retries are off: a call that was begun and not answered
is never repeated behind our back. For `submit` every failure is an outcome IN_DOUBT, also a refused
connection: the order may have left on an earlier one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

import grpc

from argos_common.domain.errors import ConfigMistake, WireError
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import (
    Deals,
    EpochKept,
    Evidence,
    LeaseAnswer,
    LeaseAsk,
    Outcome,
    Question,
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
)
from argos_common.lasthop.contract import (
    SERVICE,
    AccountUnknown,
    DealsRequest,
    EpochRequest,
    EventsRequest,
    NodeUnavailable,
    SealRequest,
    SnapshotRequest,
    in_doubt,
)
from argos_common.lasthop.server import MESSAGE_BYTES_MAX
from argos_common.runtime.tls import TlsFiles
from argos_common.wire.codec import pack, unpack

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),  # a proxy in the environment must not capture loopback traffic
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
)

T = TypeVar("T")
TLS = "tls://"


def _channel(address: str, tls: TlsFiles) -> grpc.aio.Channel:
    plain = address.removeprefix(TLS)
    if plain == address:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    if not tls.certificate:
        raise ConfigMistake(
            f"the node at {address} is called over TLS: name our certificates with"
            " ARGOS_NODE_CA_FILE, ARGOS_NODE_CERT_FILE and ARGOS_NODE_CERT_KEY_FILE"
        )
    authority, certificate, key = tls.read()
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    return grpc.aio.secure_channel(plain, credentials, options=OPTIONS)


class NodeClient:
    """One node at `address`. Make it where an event loop runs; `close` it there too.

    The address is host:port, or tls://host:port for a node that proves itself by a certificate of
    the authority in `tls` with this very host, and demands one of us.

    `answer_grace_s`: how long an answer to a submission may take beyond the submission's budget.
    `call_timeout_s`: the limit of every other call; streams have none, keepalive watches them.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: TlsFiles | None = None,
        answer_grace_s: float = 2.0,
        call_timeout_s: float = 10.0,
    ) -> None:
        """Raises ConfigMistake if TLS is asked for and its files are not there."""
        self._address = address
        self._answer_grace_s = answer_grace_s
        self._call_timeout_s = call_timeout_s
        self._closed = False
        self._channel = _channel(address, tls or TlsFiles())

    async def close(self) -> None:
        """Ends every call under way: for its caller it is a node that did not answer."""
        self._closed = True
        await self._channel.close(None)

    async def submit(self, submission: Submission) -> Outcome:
        timeout_s = max(0, submission.budget_ns) / 1_000_000_000 + self._answer_grace_s
        try:
            return await self._call("Submit", submission, Outcome, timeout_s)
        except NodeUnavailable as error:
            return in_doubt(submission.order_id, "no_answer", str(error))

    async def find(self, question: Question) -> Evidence:
        return await self._call("Find", question, Evidence)

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        return await self._call("SealOrder", SealRequest(account=account, order_id=order_id), Seal)

    async def snapshot(self, account: Account) -> Snapshot:
        return await self._call("TakeSnapshot", SnapshotRequest(account=account), Snapshot)

    async def deals(self, account: Account, since_ns: int) -> Deals:
        return await self._call(
            "ListDeals", DealsRequest(account=account, since_ns=since_ns), Deals
        )

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        return await self._call("RaiseEpoch", EpochRequest(account=account, epoch=epoch), EpochKept)

    async def events(self, account: Account, since_ns: int) -> AsyncGenerator[VenueEvent]:
        method = self._channel.unary_stream(
            f"/{SERVICE}/Events", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            call = method(pack(EventsRequest(account=account, since_ns=since_ns)))
        except grpc.aio.UsageError as error:
            raise self._unavailable(error) from None
        try:
            async for message in call:
                yield unpack(VenueEvent, message)
        except (grpc.aio.AioRpcError, WireError, asyncio.CancelledError) as error:
            raise self._unavailable(error) from None
        finally:
            call.cancel()

    async def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncGenerator[LeaseAsk]:
        async def packed() -> AsyncIterator[bytes]:
            async for answer in answers:
                yield pack(answer)

        method = self._channel.stream_stream(
            f"/{SERVICE}/Lease", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            call = method(packed())
        except grpc.aio.UsageError as error:
            raise self._unavailable(error) from None
        try:
            async for message in call:
                yield unpack(LeaseAsk, message)
        except (grpc.aio.AioRpcError, WireError, asyncio.CancelledError) as error:
            raise self._unavailable(error) from None
        finally:
            call.cancel()

    async def _call(
        self, method: str, request: object, kind: type[T], timeout_s: float | None = None
    ) -> T:
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method}", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            message = await call(pack(request), timeout=timeout_s or self._call_timeout_s)
            return unpack(kind, message)
        except (
            grpc.aio.AioRpcError,
            grpc.aio.UsageError,
            WireError,
            asyncio.CancelledError,
        ) as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: BaseException) -> NodeUnavailable:
        """The error for a caller; its own cancellation is raised on."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise error
            return NodeUnavailable(f"the connection to {self._address} was closed meanwhile")
        if isinstance(error, grpc.aio.AioRpcError):
            code, sentence = error.code(), error.details() or ""
            if code is grpc.StatusCode.NOT_FOUND:
                return AccountUnknown(sentence)
            return NodeUnavailable(
                f"the node at {self._address} did not answer ({code.name.lower()}): {sentence}"
            )
        return NodeUnavailable(f"the node at {self._address} did not answer: {error}")
