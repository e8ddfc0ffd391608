"""Who may send: the sources of the fleet and the hashes of their tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from argos_gateway.core.intake import Door, KnownSource

_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The door, who may come to it, and how often.

    `token_hashes`: SHA-256 in hex, of each source one or two. `rates`: messages per minute.
    """

    door: Door
    sources: Mapping[str, KnownSource]
    token_hashes: Mapping[str, tuple[str, ...]]
    rates: Mapping[str, int]

    def authentic(self, source: str, token: str) -> bool:
        """Whether the token is one of the source's; compared in constant time."""
        given = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        hashes = self.token_hashes.get(source, (_NOBODY,))
        matches = [hmac.compare_digest(given, each) for each in hashes]
        return any(matches) and source in self.token_hashes
