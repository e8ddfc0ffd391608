"""The certificates of a cluster of log servers: who may connect, and who may be one of the servers.

    <root>/authority/secrets/       the keys of two authorities, for the job that signs alone
    <root>/<server>-tls/secrets/    server.pem and route.pem with their keys, and both authorities
    <root>/<user>/secrets/          nats.pem with its key, and the authority of the servers

There are two authorities, so that a client's certificate lets nobody in as a server: servers tell
each other everything. What is there stays, until it has less than `RENEW_S` left. Then it is made
again, and is used when its owner starts again.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from argos_common.domain.errors import OurMistake

from argos_cli.staging.secret_files import NATS_USERS
from argos_cli.staging.whole_file import write_whole

CLIENTS, ROUTES = "clients", "routes"
AUTHORITY_DAYS, DAYS = 3650, 397
RENEW_S = 30 * 86_400
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_OURS, _ANYBODY = 0o400, 0o444
_SIGNED = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {uses}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{names}
"""


class Certificates:
    """The folders below `root`, for servers of these host names. May run again."""

    def __init__(self, root: Path, servers: Sequence[str]) -> None:
        self._root = root
        self._servers = servers
        self._made: list[str] = []

    def make_missing(self) -> tuple[str, ...]:
        """Make what is not there or soon ends; what was made. Raises OurMistake."""
        for authority in (CLIENTS, ROUTES):
            self._authority(authority)
        for server in self._servers:
            folder = self._root / f"{server}-tls" / "secrets"
            names = f"subjectAltName = DNS:{server}"
            self._signed(folder / "server.pem", CLIENTS, server, "serverAuth", names)
            self._signed(folder / "route.pem", ROUTES, server, "serverAuth, clientAuth", names)
            self._copy(CLIENTS, folder / "ca.pem")
            self._copy(ROUTES, folder / "routes.pem")
        for user in NATS_USERS:
            folder = self._root / user / "secrets"
            self._signed(folder / "nats.pem", CLIENTS, user, "clientAuth")
            self._copy(CLIENTS, folder / "nats-ca.pem")
        return tuple(self._made)

    def _pem(self, authority: str) -> Path:
        return self._root / "authority" / "secrets" / f"{authority}.pem"

    def _authority(self, name: str) -> None:
        path = self._pem(name)
        if _stays(path):
            return
        with tempfile.TemporaryDirectory() as scratch:
            key, certificate = Path(scratch, "key"), Path(scratch, "pem")
            _openssl(
                "req", "-x509", *_KEY, "-days", str(AUTHORITY_DAYS), "-subj", f"/CN=argos {name}",
                "-addext", "keyUsage = critical, keyCertSign", "-keyout", key, "-out", certificate,
            )  # fmt: skip
            self._keep(path, key, certificate)

    def _signed(self, path: Path, authority: str, name: str, uses: str, names: str = "") -> None:
        signer = self._pem(authority)
        if _stays(path) and _signed_by(signer, path):
            return
        with tempfile.TemporaryDirectory() as scratch:
            key, request, certificate = (Path(scratch, each) for each in ("key", "csr", "pem"))
            extensions = Path(scratch, "extensions")
            extensions.write_text(_SIGNED.format(uses=uses, names=names), encoding="utf-8")
            _openssl("req", "-new", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
            _openssl(
                "x509", "-req", "-in", request, "-CA", signer, "-CAkey", signer.with_suffix(".key"),
                "-CAserial", Path(scratch, "serial"), "-CAcreateserial", "-days", str(DAYS),
                "-extfile", extensions, "-out", certificate,
            )  # fmt: skip
            self._keep(path, key, certificate)

    def _keep(self, path: Path, key: Path, certificate: Path) -> None:
        # The key last: whoever died in between has no pair that fits, and this is made again.
        write_whole(path, certificate.read_text("ascii"), _ANYBODY)
        write_whole(path.with_suffix(".key"), key.read_text("ascii"), _OURS)
        self._made.append(f"{path.parent.parent.name}/{path.name}")

    def _copy(self, authority: str, to: Path) -> None:
        text = self._pem(authority).read_text("ascii")
        if not to.exists() or to.read_text("ascii") != text:
            write_whole(to, text, _ANYBODY)


def _stays(path: Path) -> bool:
    """Whether a certificate is there, with a key that fits, for long enough."""
    key = path.with_suffix(".key")
    if not path.exists() or not key.exists():
        return False
    enough = _ask("x509", "-checkend", str(RENEW_S), "-noout", "-in", path) is not None
    return enough and _ask("x509", "-pubkey", "-noout", "-in", path) == _ask(
        "pkey", "-pubout", "-in", key
    )


def _signed_by(authority: Path, certificate: Path) -> bool:
    return _ask("verify", "-CAfile", authority, certificate) is not None


def _openssl(*words: str | Path) -> None:
    if (said := _run(words)).returncode != 0:
        last = said.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise OurMistake(f"openssl could not make a certificate: {last[0]}")


def _ask(*words: str | Path) -> str | None:
    """What openssl answers; None if it says no."""
    said = _run(words)
    return said.stdout if said.returncode == 0 else None


def _run(words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    except OSError:
        raise OurMistake("there is no openssl here to make certificates with: install it") from None
