"""What the client does in its own way: which headers it reads, takers, questions and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats.errors
import pytest
from argos_common.runtime.nats_client import LeanClient
from argos_common.testing.nats_server import running_nats
from argos_common.testing.waiting import until
from nats.aio.msg import Msg

LONG_S = 20.0


class Line:
    """A client on a real server, and what it was told went wrong."""

    def __init__(self, client: LeanClient, wrong: list[str]) -> None:
        self.client = client
        self.wrong = wrong


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    wrong: list[str] = []

    async def note(error: Exception) -> None:
        wrong.append(str(error))

    async with running_nats(tmp_path) as server:
        client = LeanClient()
        await client.connect(server.url, error_cb=note)
        await client.open_answers()
        yield Line(client, wrong)
        await client.close()


async def test_headers_of_a_stored_entry_are_not_parsed() -> None:
    headers = b"NATS/1.0\r\nNats-Expected-Stream: ARGOS_g1\r\nNats-Msg-Id: one\r\n\r\n"
    assert await LeanClient()._process_headers(headers) is None
    assert await LeanClient()._process_headers(b"") is None
    assert await LeanClient()._process_headers(None) is None


async def test_headers_of_a_heartbeat_and_of_nobody_there_are_parsed() -> None:
    heartbeat = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 5\r\n\r\n"
    found = await LeanClient()._process_headers(heartbeat)
    assert found is not None
    assert (found["Status"], found["Nats-Last-Consumer"]) == ("100", "5")
    assert await LeanClient()._process_headers(b"NATS/1.0 503\r\n\r\n") == {"Status": "503"}


async def test_a_taker_that_raises_is_told_and_the_next_message_still_comes(line: Line) -> None:
    taken: list[bytes] = []

    def take(message: Msg) -> None:
        if message.data == b"bad":
            raise ValueError("not this one")
        taken.append(message.data)

    await line.client.take("a", take)
    for data in (b"one", b"bad", b"two"):
        await line.client.publish("a", data)
    await until(lambda: taken == [b"one", b"two"])
    assert line.wrong == ["not this one"]


async def test_nothing_is_taken_after_the_end_of_a_subscription(line: Line) -> None:
    taken: list[bytes] = []
    subscription = await line.client.take("a", lambda message: taken.append(message.data))
    await line.client.publish("a", b"one")
    await until(lambda: taken == [b"one"])
    await subscription.unsubscribe()
    await line.client.publish("a", b"two")
    await line.client.flush()
    assert (taken, line.client._takers.keys() & {subscription._id}) == ([b"one"], set())


async def test_each_question_gets_its_own_answer(line: Line) -> None:
    held: list[Msg] = []
    await line.client.take("double", held.append)
    asked = [
        asyncio.create_task(line.client.ask("double", b"%d" % n, LONG_S, None)) for n in range(3)
    ]
    await until(lambda: len(held) == 3)
    for question in reversed(held):
        await question.respond(question.data * 2)
    answers = [answer.data for answer in await asyncio.gather(*asked)]
    assert (answers, line.client._answers) == ([b"00", b"11", b"22"], {})


async def test_a_question_nobody_hears_or_answers_ends_and_leaves_nothing(line: Line) -> None:
    with pytest.raises(nats.errors.NoRespondersError):
        await line.client.ask("nobody", b"", LONG_S, None)
    await line.client.take("silent", lambda _: None)
    with pytest.raises(nats.errors.TimeoutError):
        await line.client.ask("silent", b"", 0.05, None)
    assert line.client._answers == {}


async def test_a_question_given_up_leaves_nothing_and_its_answer_disturbs_nobody(
    line: Line,
) -> None:
    held: list[Msg] = []
    await line.client.take("slow", held.append)
    given_up = asyncio.create_task(line.client.ask("slow", b"first", LONG_S, None))
    await until(lambda: len(held) == 1)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    second = asyncio.create_task(line.client.ask("slow", b"second", LONG_S, None))
    await until(lambda: len(held) == 2)
    for question in held:
        await question.respond(question.data)
    assert ((await second).data, line.client._answers, line.wrong) == (b"second", {}, [])
