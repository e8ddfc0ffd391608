"""A node over gRPC: the servicer, its health, and the listening socket.

Messages are turned into domain values by the codec, so the method table below stands in place of
generated stubs; a test compares it with the contract in `proto/`. What cannot be decoded is
INVALID_ARGUMENT, an account of another node NOT_FOUND, trouble with venue or journal UNAVAILABLE,
each with one sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from argos_common.domain.errors import ArgosError, OurMistake, WireError
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import (
    Deals,
    EpochKept,
    Evidence,
    LeaseAnswer,
    Outcome,
    Question,
    Seal,
    Snapshot,
    Submission,
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
)
from argos_common.lasthop.local import LocalNode
from argos_common.runtime.clock import Clock
from argos_common.runtime.tls import TlsFiles
from argos_common.wire.codec import pack, unpack

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),  # else a second server on the port starts without complaint
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
)
HEALTH_EVERY_S = 0.5
PROCESS, VENUE = "process", "venue"

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]  # the codec takes bytes, so it has no message types


class NodeServer:
    """Serves one node: on loopback unless `host` names another address. `start` gives the port.

    With `tls` only callers come in whose certificate its authority signed.
    """

    def __init__(
        self,
        node: LocalNode,
        clock: Clock,
        port: int = 0,
        *,
        host: str = "",
        tls: TlsFiles | None = None,
    ) -> None:
        self._clock = clock
        self._host = host or "127.0.0.1"
        self._tls = tls or TlsFiles()
        self._node = node
        self._port = port
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs lack it
        self._server = grpc.aio.server(options=OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((handlers(node),))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """The port it listens on. Raises OurMistake if that is taken."""
        address = f"{self._host}:{self._port}"
        try:
            port = self._listen(address)
        except RuntimeError:
            port = 0
        if port == 0 or self._port not in (0, port):
            raise OurMistake(f"cannot listen on {address}; is another process using the port?")
        await self._server.start()
        await self._set_health(PROCESS, serving=True)
        self._tasks.append(asyncio.create_task(self._watch_health()))
        return port

    def _listen(self, address: str) -> int:
        if not self._tls:
            return self._server.add_insecure_port(address)
        authority, certificate, key = self._tls.read()
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], root_certificates=authority, require_client_auth=True
        )
        return self._server.add_secure_port(address, credentials)

    async def stop(self, grace_s: float = 5.0) -> None:
        """No new calls; those under way have `grace_s` to end."""
        for task in self._tasks:
            task.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def _watch_health(self) -> None:
        while True:
            await self._set_health(VENUE, serving=self._node.venue_ready())
            await self._clock.sleep(HEALTH_EVERY_S)

    async def _set_health(self, service: str, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self._health.set(service, status.SERVING if serving else status.NOT_SERVING)


def handlers(node: LocalNode) -> grpc.GenericRpcHandler[Any, Any]:
    """The methods of the contract over a node; requests and responses are bytes to gRPC."""
    calls = _Calls(node)
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Submit": grpc.unary_unary_rpc_method_handler(calls.submit),
            "Find": grpc.unary_unary_rpc_method_handler(calls.find),
            "SealOrder": grpc.unary_unary_rpc_method_handler(calls.seal),
            "TakeSnapshot": grpc.unary_unary_rpc_method_handler(calls.snapshot),
            "ListDeals": grpc.unary_unary_rpc_method_handler(calls.deals),
            "Events": grpc.unary_stream_rpc_method_handler(calls.events),
            "Lease": grpc.stream_stream_rpc_method_handler(calls.lease),
            "RaiseEpoch": grpc.unary_unary_rpc_method_handler(calls.raise_epoch),
        },
    )


class _Calls:
    """One method each: bytes in, bytes out."""

    def __init__(self, node: LocalNode) -> None:
        self._node = node

    async def submit(self, request: bytes, context: Context) -> bytes:
        async def work() -> Outcome:
            submission = unpack(Submission, request)
            if not submission.order_id:
                raise WireError("Submission.order_id is empty")
            self._node.hop(submission.account)
            return await self._node.submit(submission)

        return pack(await _guarded(work, context))

    async def find(self, request: bytes, context: Context) -> bytes:
        async def work() -> Evidence:
            return await self._node.find(unpack(Question, request))

        return pack(await _guarded(work, context))

    async def seal(self, request: bytes, context: Context) -> bytes:
        async def work() -> Seal:
            asked = unpack(SealRequest, request)
            if not asked.order_id:
                raise WireError("SealRequest.order_id is empty")
            return await self._node.seal(Account(asked.account), OrderId(asked.order_id))

        return pack(await _guarded(work, context))

    async def snapshot(self, request: bytes, context: Context) -> bytes:
        async def work() -> Snapshot:
            return await self._node.snapshot(Account(unpack(SnapshotRequest, request).account))

        return pack(await _guarded(work, context))

    async def deals(self, request: bytes, context: Context) -> bytes:
        async def work() -> Deals:
            asked = unpack(DealsRequest, request)
            return await self._node.deals(Account(asked.account), asked.since_ns)

        return pack(await _guarded(work, context))

    async def raise_epoch(self, request: bytes, context: Context) -> bytes:
        async def work() -> EpochKept:
            asked = unpack(EpochRequest, request)
            return await self._node.raise_epoch(Account(asked.account), asked.epoch)

        return pack(await _guarded(work, context))

    async def events(self, request: bytes, context: Context) -> None:
        async def work() -> None:
            asked = unpack(EventsRequest, request)
            async with aclosing(
                self._node.events(Account(asked.account), asked.since_ns)
            ) as events:
                async for event in events:
                    await context.write(pack(event))

        await _guarded(work, context)

    async def lease(self, requests: AsyncIterator[bytes], context: Context) -> None:
        async def answers() -> AsyncIterator[LeaseAnswer]:
            async for request in requests:
                yield unpack(LeaseAnswer, request)

        async def work() -> None:
            async with aclosing(self._node.lease(answers())) as asks:
                async for ask in asks:
                    await context.write(pack(ask))

        await _guarded(work, context)


async def _guarded(work: Callable[[], Awaitable[T]], context: Context) -> T:
    """Every error that is meant for a person becomes a status with that sentence."""
    try:
        return await work()
    except AccountUnknown as error:
        await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
    except NodeUnavailable as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    except WireError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except ArgosError as error:
        await context.abort(grpc.StatusCode.INTERNAL, str(error))
    raise AssertionError("abort always raises")
