"""What a starting process is given besides the log: the proposed configuration, and old snapshots."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from argos_common.domain.config import AccountConfig
from argos_common.wire.codec import to_plain

from argos_simulation import fleet


class Proposals:
    """What `fleet.toml` says at this moment; each copy of risk is told what is new to it."""

    def __init__(self) -> None:
        self.configs: tuple[AccountConfig, ...] = fleet.configs()
        self.version = 1

    def change(self, configs: tuple[AccountConfig, ...]) -> None:
        self.configs, self.version = configs, self.version + 1

    def reader(self) -> ProposalsReader:
        return ProposalsReader(self)


class ProposalsReader:
    """One process's reading of it. Implements risk's port."""

    def __init__(self, source: Proposals) -> None:
        self._source = source
        self._seen = 0

    def changed(self) -> tuple[AccountConfig, ...] | None:
        if self._seen == self._source.version:
            return None
        self._seen = self._source.version
        return self._source.configs


@dataclass(slots=True)
class Snapshots:
    """The last snapshot of each kind of service: its text, and the entry it stands at."""

    texts: dict[str, tuple[int, str]] = field(default_factory=dict)

    def keep(self, kind: str, sequence: int, state: object) -> None:
        # As in a file: keys keep their order, for a state may mean something by it.
        self.texts[kind] = (sequence, json.dumps(to_plain(state)))
