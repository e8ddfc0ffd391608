"""What comes from outside the fleet: the log server's pages, Alertmanager's alerts, certificates."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from argos_common.domain.errors import OurMistake
from argos_monitor.core.alertmanager import OutsideAlert, notice_of
from argos_monitor.core.certificate import expires_ns
from argos_monitor.core.desk import Desk
from argos_monitor.core.log_server import ServerFigures, most_telling, server_figures

VARZ = {
    "connections": 6, "slow_consumers": 1, "mem": 30_000_000, "cpu": 12.5,
    "in_msgs": 10, "out_msgs": 20, "in_bytes": 1000, "out_bytes": 2000,
}  # fmt: skip
JSZ = {
    "account_details": [
        {"stream_detail": [{"name": "OTHER", "state": {"messages": 9}}]},
        {
            "stream_detail": [
                {
                    "name": "ARGOS_g1",
                    "state": {"messages": 7, "bytes": 4096, "consumer_count": 2},
                    "consumer_detail": [
                        {"num_pending": 1, "num_redelivered": 0},
                        {"num_pending": 5, "num_redelivered": 2},
                    ],
                }
            ]
        },
    ]
}

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBKzCB3qADAgECAgEHMAUGAytlcDAVMRMwEQYDVQQDDAphcmdvcy10ZXN0MB4X
DTI2MTEyNTA3NTgwMVoXDTM2MTEyMjA3NTgwMVowFTETMBEGA1UEAwwKYXJnb3Mt
dGVzdDAqMAUGAytlcAMhAKYUoYMi8WeHcJYcYlTj9JOL1h2S1qzi8asMPWDzc6iz
o1MwUTAdBgNVHQ4EFgQUKcFZ7EFchii9rhpWzxkvG9xHSV4wHwYDVR0jBBgwFoAU
KcFZ7EFchii9rhpWzxkvG9xHSV4wDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQBP
t0NCvJqTJ3muL4TjVzgWRuxaqqsitOL0p/V4btfcwjPjpudBhghHEk2Z4zBNhdoK
H/6K75czp765HhEtbzEL
-----END CERTIFICATE-----
"""
"""Made for this test, expires on 22 November 2036 at 07:58:01; its key was thrown away."""


def test_the_servers_figures_are_those_of_its_pages_and_of_our_stream() -> None:
    found = server_figures(VARZ, JSZ, "ARGOS_g1")
    assert (found.connections, found.slow_consumers, found.memory_bytes) == (6, 1, 30_000_000)
    assert found.cpu_ratio == Decimal("0.125")
    assert found.messages == {"in": 10, "out": 20}
    stream = found.stream
    assert stream is not None
    assert (stream.messages, stream.stored_bytes, stream.consumers) == (7, 4096, 2)
    assert (stream.pending, stream.redelivered) == (5, 2), "the furthest behind, and the sum"


@pytest.mark.parametrize("jsz", [{}, {"account_details": None}, {"account_details": [{}, 3]}])
def test_a_page_without_our_stream_says_nothing_of_it(jsz: dict[str, object]) -> None:
    found = server_figures({"connections": "many"}, jsz, "ARGOS_g1")
    assert (found.stream, found.connections) == (None, 0)


def test_of_a_cluster_the_server_that_leads_the_log_is_shown() -> None:
    def server(name: str, leader: str) -> ServerFigures:
        stream = {"name": "ARGOS_g1", "cluster": {"leader": leader}}
        jsz = {"account_details": [{"stream_detail": [stream]}]}
        return server_figures({"server_name": name}, jsz, "ARGOS_g1")

    servers = [server(name, "argos-2") for name in ("argos-1", "argos-2", "argos-3")]
    assert most_telling(servers) is servers[1]
    assert most_telling(servers[2:]) is servers[2], "while there is no leader, any of them"
    assert most_telling([]) is None


def outside(**changes: object) -> OutsideAlert:
    fields: dict[str, object] = {
        "firing": True,
        "fingerprint": "f1",
        "starts_at": "2026-11-25T07:00:00Z",
        "labels": {"alertname": "ClockSkew", "severity": "critical", "account": "a"},
        "annotations": {"summary": "off", "runbook_url": "r"},
    }
    return OutsideAlert(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def test_an_alert_is_told_with_its_sentence_and_what_to_do() -> None:
    notice = notice_of(outside())
    assert (notice.level, notice.code, notice.account) == ("critical", "alertmanager", "a")
    assert notice.sentence == "ClockSkew: off (what to do: r)"


def test_the_same_alert_is_one_notice_and_its_end_another() -> None:
    began, again = notice_of(outside()), notice_of(outside(annotations={}))
    over, later = notice_of(outside(firing=False)), notice_of(outside(starts_at="later"))
    assert began.alert_id == again.alert_id
    assert len({began.alert_id, over.alert_id, later.alert_id}) == 3
    assert (over.level, over.sentence) == ("info", "over: ClockSkew: off")


def test_an_alert_with_nothing_in_it_is_still_told() -> None:
    notice = notice_of(outside(labels={}, annotations={}))
    assert (notice.level, notice.account) == ("warning", "")
    assert "without a name" in notice.sentence


def test_what_alertmanager_told_is_not_taken_for_a_condition_of_ours() -> None:
    desk = Desk()
    desk.on_record(notice_of(outside()).raised(1))
    assert desk.standing() == []


def test_a_certificate_says_when_it_expires() -> None:
    at = datetime(2036, 11, 22, 7, 58, 1, tzinfo=UTC)
    assert expires_ns(ssl.PEM_cert_to_DER_cert(CERTIFICATE)) == int(at.timestamp()) * 10**9


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x82", b"\x30\x03abc", b"not a certificate"])
def test_what_is_no_certificate_is_refused_in_one_sentence(junk: bytes) -> None:
    with pytest.raises(OurMistake, match="no certificate"):
        expires_ns(junk)


def test_a_certificate_cut_short_anywhere_is_refused_or_still_readable() -> None:
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE)
    for length in range(len(der)):
        with pytest.raises(OurMistake):
            expires_ns(der[:length])
