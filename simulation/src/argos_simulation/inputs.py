"""What a starting process is given besides the log: the proposed configuration, and old snapshots."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypeVar

from argos_common.domain.config import AccountConfig
from argos_common.runtime.snapshot import Snapshot, checksum, read_snapshot, snapshot_text

from argos_simulation import fleet
from argos_simulation.chance import Chance

T = TypeVar("T")


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
    """The last snapshot file of each kind of service: its text, as the services write it."""

    generation: str
    texts: dict[str, str] = field(default_factory=dict)

    def keep(self, kind: str, sequence: int, state: object, *, schema: int) -> None:
        self.texts[kind] = snapshot_text(
            state, generation=self.generation, sequence=sequence, schema=schema
        )

    def damage(self, kind: str, chance: Chance) -> None:
        """Tear the file, change a byte of it, or make it one of another log, program or future."""
        text = self.texts[kind]
        at, how = chance.whole(0, max(0, len(text) - 1)), chance.whole(0, 4)
        match how:
            case 0:
                text = text[:at]
            case 1:
                flipped = "".join(chr(ord(each) ^ 1) for each in text[at : at + 1])
                text = text[:at] + flipped + text[at + 1 :]
            case 2:
                text = _as_of(text, generation="other")
            case 3:
                text = _as_of(text, older=1)
            case _:
                text = _as_of(text, ahead=100_000)
        self.texts[kind] = text

    def usable(self, kind: str, state: type[T], *, schema: int, last: int) -> Snapshot[T] | None:
        """What a starting service makes of it; `last` is the log's last sequence."""
        text = self.texts.get(kind)
        if text is None:
            return None
        found = read_snapshot(
            text, state, name=kind, generation=self.generation, schema=schema, last_sequence=last
        )
        return found if isinstance(found, Snapshot) else None


def _as_of(text: str, *, generation: str = "", older: int = 0, ahead: int = 0) -> str:
    """The snapshot as another log or program would have written it, whole; as it is, if it is torn.

    One that is `ahead` keeps its checksum, for it is no snapshot of anything: a whole one would be
    the proof that the log has lost entries, and nothing would start.
    """
    head, _, body = text.partition("\n")
    try:
        header = json.loads(head)
        header["generation"] = generation or header["generation"]
        header["schema"] -= older
        header["sequence"] += ahead
        if not ahead:
            header["sha256"] = checksum(
                header["generation"],
                header["sequence"],
                header["schema"],
                body.removesuffix("\n"),
            )
    except (ValueError, KeyError, TypeError):
        return text
    return json.dumps(header) + "\n" + body
