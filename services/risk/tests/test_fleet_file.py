"""What `fleet.toml` proposes: at first, after a change, and never from a file that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from argos_common.domain.errors import ConfigMistake
from argos_risk.adapters.fleet_file import FleetFile

EXAMPLE = (Path(__file__).resolve().parents[3] / "fleet.toml").read_text()


def write(path: Path, text: str, time_s: int) -> None:
    path.write_text(text)
    os.utime(path, (time_s, time_s))


def test_a_file_proposes_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    write(path, EXAMPLE, 1)
    file = FleetFile(path)
    assert len(file.changed() or ()) == 3
    assert file.changed() is None
    write(path, EXAMPLE.replace("open_positions_max = 20", "open_positions_max = 21"), 2)
    assert (file.changed() or ())[0].limits.open_positions_max == 21


def test_a_wrong_file_is_said_once_and_proposes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    write(path, EXAMPLE + "\n[accounts.x]\n", 1)
    file = FleetFile(path)
    with pytest.raises(ConfigMistake):
        file.changed()
    assert file.changed() is None
    path.unlink()
    with pytest.raises(ConfigMistake, match="cannot be read"):
        file.changed()
    assert file.changed() is None
    write(path, EXAMPLE, 2)
    assert len(file.changed() or ()) == 3
