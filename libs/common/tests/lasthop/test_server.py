"""The gRPC side of a node: the contract's methods, statuses, the socket, health."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import OrderId
from argos_common.domain.node import LeaseAnswer, Result
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.contract import SERVICE, EventsRequest, NodeUnavailable
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.server import NodeServer, handlers
from argos_common.runtime.entropy import SeededEntropy
from argos_common.testing.node_bench import ACCOUNT, Bench, Kit, PushedClock
from argos_common.testing.trial_venue import FakeVenue
from argos_common.wire.codec import pack
from argos_common.wire.pb import node_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc


class Served:
    def __init__(self) -> None:
        self.clock = PushedClock()
        journal = AsyncJournal(MemoryJournal())
        venue = FakeVenue(ACCOUNT, self.clock)
        self.hop = LastHop(ACCOUNT, venue, journal, self.clock, SeededEntropy(1))
        self.node = LocalNode([self.hop], self.clock)
        self.server = NodeServer(self.node, self.clock)
        self.port = 0


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.hop.start()
    served.port = await served.server.start()
    yield served
    await served.server.stop(0)
    await served.hop.stop()


def test_every_method_of_the_contract_is_served_in_its_shape() -> None:
    handler = handlers(LocalNode([], PushedClock()))

    class Details:
        def __init__(self, name: str) -> None:
            self.method, self.invocation_metadata = f"/{SERVICE}/{name}", ()

    service = node_pb2.DESCRIPTOR.services_by_name["VenueNode"]
    assert service.full_name == SERVICE
    for method in service.methods:
        found = handler.service(Details(method.name))  # type: ignore[arg-type]  # all that is read of it
        assert found is not None, method.name
        shape = (found.request_streaming, found.response_streaming)
        assert shape == (method.client_streaming, method.server_streaming), method.name


@pytest.mark.parametrize("method", ["Submit", "Find", "SealOrder"])
@pytest.mark.parametrize("request_", [b"\xff\xff", b""])
async def test_what_cannot_be_decoded_is_an_invalid_argument(
    served: Served, method: str, request_: bytes
) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/{method}", request_serializer=bytes, response_deserializer=bytes
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request_, timeout=5)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details()


async def test_events_of_an_unknown_account_are_not_found(served: Served) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        call = channel.unary_stream(
            f"/{SERVICE}/Events", request_serializer=bytes, response_deserializer=bytes
        )(pack(EventsRequest(account="nobody", since_ns=0)), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_port_that_is_taken_is_said_to_be(served: Served) -> None:
    second = NodeServer(served.node, served.clock, served.port)

    with pytest.raises(OurMistake, match=f"cannot listen on 127.0.0.1:{served.port}"):
        await second.start()


async def test_health_names_process_and_venue(served: Served) -> None:
    serving = health_pb2.HealthCheckResponse.SERVING
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def status(service: str) -> int:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            return int(answer.status)

        assert await status("process") == serving
        for _ in range(100):
            if await status("venue") == serving:
                break
            await served.clock.sleep(0.05)
        assert await status("venue") == serving
        served.clock.mono_ns += 60_000_000_000
        for _ in range(100):
            if await status("venue") != serving:
                break
            await served.clock.sleep(0.05)
        assert await status("venue") == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await status("process") == serving


async def test_a_node_that_is_not_there_is_doubt_for_an_order_and_an_error_for_a_question(
    served: Served,
) -> None:
    bench = Bench(
        Kit(
            make_venue=lambda clock: FakeVenue(ACCOUNT, clock),
            open_journal=MemoryJournal,
            over_grpc=True,
        )
    )
    bench.clock = served.clock
    await served.server.stop(0)
    client = NodeClient(f"127.0.0.1:{served.port}")

    outcome = await client.submit(bench.submission())
    with pytest.raises(NodeUnavailable, match="did not answer"):
        await client.seal(ACCOUNT, OrderId("x"))
    with pytest.raises(NodeUnavailable, match="did not answer"):
        await anext(client.events(ACCOUNT, 0))
    await client.close()
    closed = await client.submit(bench.submission())

    assert (outcome.result, closed.result) == (Result.IN_DOUBT, Result.IN_DOUBT)


async def test_a_client_that_was_closed_says_so_as_any_node_that_does_not_answer() -> None:
    client = NodeClient("127.0.0.1:1")
    await client.close()

    async def none() -> AsyncIterator[LeaseAnswer]:
        answers: tuple[LeaseAnswer, ...] = ()
        for answer in answers:
            yield answer

    for stream in (client.events(ACCOUNT, 0), client.lease(none())):
        with pytest.raises(NodeUnavailable, match="did not answer"):
            await anext(aiter(stream))
