"""Certificates for what leaves this machine: PEM files, named in the environment.

One authority of the fleet's own signs every certificate. A name is checked on both sides: the
caller compares the host it dialled, and a server that demands certificates lets in nobody whom the
authority did not sign.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from argos_common.domain.errors import ConfigMistake


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files; all empty: no TLS. `ca` alone: the other side proves itself, we do not."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __bool__(self) -> bool:
        return bool(self.ca)

    def read(self) -> tuple[bytes, bytes, bytes]:
        """The contents of authority, certificate and key. Raises ConfigMistake."""
        return _read(self.ca), _read(self.certificate), _read(self.key)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For a connection to a server whose host name must be in its certificate."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if files.certificate:
            context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigMistake(
            f"the certificates for TLS cannot be used ({error}): check {files.ca}"
            f" {files.certificate} {files.key}"
        ) from None
    return context


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigMistake(
            f"the certificate file {path} cannot be read ({error.strerror}): name one that can"
        ) from None
