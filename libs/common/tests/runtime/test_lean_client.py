"""Which headers the client reads: those of the server's own messages, and no others."""

from __future__ import annotations

from argos_common.runtime.nats_client import LeanClient


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
