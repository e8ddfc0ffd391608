"""Snapshots: a whole one is used, anything else is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account
from argos_common.runtime.log import LogDamaged
from argos_common.runtime.settings import load_fleet
from argos_common.runtime.snapshot import Snapshot, Unusable, load_snapshot, save_snapshot

EXAMPLE = Path(__file__).resolve().parents[4] / "fleet.toml"


def state() -> AccountConfig:
    return load_fleet(EXAMPLE).accounts[Account("mt5-net")]


def saved(tmp_path: Path) -> Path:
    path = tmp_path / "snapshots" / "risk.json"
    save_snapshot(path, state(), generation="g1", sequence=7, schema=1)
    return path


def load(
    path: Path, generation: str = "g1", schema: int = 1, last: int = 9
) -> Snapshot[AccountConfig] | Unusable:
    return load_snapshot(
        path, AccountConfig, generation=generation, schema=schema, last_sequence=last
    )


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert load(saved(tmp_path)) == Snapshot(7, state())


def test_no_snapshot_is_nothing_to_speak_of(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == Unusable("")


def test_every_torn_snapshot_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 17):
        path.write_bytes(whole[:size])
        found = load(path)
        assert isinstance(found, Unusable)
        assert "is ignored" in found.sentence


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(b"\x00\xff" + path.read_bytes())
    assert load(path) == Unusable(
        "the snapshot risk.json is damaged or incomplete: it is ignored and the log is read again"
    )


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert isinstance(load(path), Unusable)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"generation": "g2"}, "generation g1, not g2"),
        ({"schema": 2}, "has schema 1"),
    ],
)
def test_a_snapshot_of_another_log_is_refused(
    tmp_path: Path, found: dict[str, object], why: str
) -> None:
    unusable = load(saved(tmp_path), **found)  # type: ignore[arg-type]  # one of three parameters
    assert isinstance(unusable, Unusable)
    assert why in unusable.sentence


def test_a_whole_snapshot_ahead_of_its_log_is_not_thrown_away(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged, match=r"ends at entry 6, but the snapshot risk.json has seen 7"):
        load(saved(tmp_path), last=6)
