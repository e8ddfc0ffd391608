"""The certificates of a cluster: made once, made again in time, and of use to their owner alone."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from argos_cli.staging.certificates import Certificates
from argos_cli.staging.secret_files import NATS_USERS
from argos_common.domain.errors import OurMistake

SERVERS = ("nats", "nats-2")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    Certificates(tmp_path, SERVERS).make_missing()
    return tmp_path


def contents(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text("ascii") for p in root.rglob("*") if p.is_file()}


def believed(certificate: Path, authority: Path, purpose: str, host: str = "") -> bool:
    words = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(authority)]
    words += ["-verify_hostname", host] if host else []
    asked = subprocess.run([*words, str(certificate)], capture_output=True, check=False)
    return asked.returncode == 0


def test_a_server_shows_its_own_name_and_a_service_is_no_server(made: Path) -> None:
    servers, risk = made / "nats-2-tls/secrets", made / "risk/secrets"
    assert believed(servers / "server.pem", risk / "nats-ca.pem", "sslserver", "nats-2")
    assert not believed(servers / "server.pem", risk / "nats-ca.pem", "sslserver", "nats")
    assert believed(risk / "nats.pem", servers / "ca.pem", "sslclient")
    assert not believed(risk / "nats.pem", servers / "ca.pem", "sslserver")


def test_only_a_server_is_let_in_as_one(made: Path) -> None:
    routes = made / "nats-tls/secrets/routes.pem"
    other = made / "nats-2-tls/secrets"
    assert believed(other / "route.pem", routes, "sslclient")
    assert believed(other / "route.pem", routes, "sslserver", "nats-2")
    assert not believed(other / "server.pem", routes, "sslclient")
    assert not believed(made / "risk/secrets/nats.pem", routes, "sslclient")


def test_each_has_what_it_needs_and_only_its_owner_reads_a_key(made: Path) -> None:
    assert set(contents(made)) == {
        *(f"authority/secrets/{name}.{kind}" for name in ("clients", "routes")
          for kind in ("pem", "key")),
        *(f"{name}-tls/secrets/{file}" for name in SERVERS for file in
          ("server.pem", "server.key", "route.pem", "route.key", "ca.pem", "routes.pem")),
        *(f"{user}/secrets/{file}" for user in NATS_USERS
          for file in ("nats.pem", "nats.key", "nats-ca.pem")),
    }  # fmt: skip
    for path in made.rglob("*.*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o400 if path.suffix == ".key" else 0o444)


def test_what_is_there_stays_and_what_is_lost_or_does_not_fit_is_made_again(made: Path) -> None:
    before = contents(made)
    assert Certificates(made, SERVERS).make_missing() == ()
    (made / "risk/secrets/nats.pem").unlink()
    (made / "bridge/secrets/nats.key").unlink()
    other = (made / "monitor/secrets/nats.key").read_text("ascii")
    (made / "operator/secrets/nats.key").unlink()
    (made / "operator/secrets/nats.key").write_text(other, "ascii")
    assert Certificates(made, SERVERS).make_missing() == (
        "risk/nats.pem", "bridge/nats.pem", "operator/nats.pem",
    )  # fmt: skip
    changed = {name.split("/")[0] for name, text in contents(made).items() if text != before[name]}
    assert changed == {"risk", "bridge", "operator"}


def test_of_a_new_authority_everything_is_new(made: Path) -> None:
    (made / "authority/secrets/routes.key").unlink()
    assert Certificates(made, SERVERS).make_missing() == (
        "authority/routes.pem", "nats-tls/route.pem", "nats-2-tls/route.pem",
    )  # fmt: skip


def test_what_soon_ends_is_made_again(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argos_cli.staging.certificates.RENEW_S", 400 * 86_400)
    found = Certificates(made, SERVERS).make_missing()
    assert len(found) == 2 * len(SERVERS) + len(NATS_USERS), "all but the authorities"


def test_without_openssl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OurMistake, match="no openssl here"):
        Certificates(tmp_path, SERVERS).make_missing()


def test_a_name_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    words = ["staging", "certificates", "nats, nats-2", "--root", str(tmp_path)]
    asked = subprocess.run(
        [sys.executable, "-m", "argos_cli", *words], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert "is no host name" in asked.stderr
    assert asked.stderr.strip().count("\n") == 0
