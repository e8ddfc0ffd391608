"""Secrets of a staging fleet: made once, each with its service alone, replaced without a gap."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from argos_cli.staging.secret_files import NATS_USERS, SecretFiles, public_key
from argos_common.domain.errors import ArgosError
from argos_common.runtime.credentials import read_secret_file, read_tokens, source_token_hashes
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.settings import load_fleet

FLEET = load_fleet(Path(__file__).resolve().parents[3] / "fleet.toml")


@pytest.fixture
def files(tmp_path: Path) -> SecretFiles:
    found = SecretFiles(tmp_path, FLEET, SystemEntropy())
    found.make_missing()
    return found


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def public_keys(root: Path) -> dict[str, str]:
    lines = (root / "nats/secrets/public.conf").read_text(encoding="utf-8").splitlines()[1:]
    return {name: key.strip('"') for name, _, key in (line.partition(": ") for line in lines)}


def test_each_service_gets_what_it_needs_and_no_more(files: SecretFiles, tmp_path: Path) -> None:
    del files
    assert set(contents(tmp_path)) == {
        *(f"{user}/secrets/nats.nk" for user in NATS_USERS),
        "gateway/secrets/tradingview.token",
        "gateway/secrets/argos.token",
        *(f"{user}/secrets/pgpass" for user in ("reconciler", "monitor", "operator", "database")),
        *(f"database/secrets/{role}.password" for role in ("argos_ledger", "argos_reader")),
        "postgres/secrets/password",
        "nats/secrets/public.conf",
        "grafana/secrets/admin-password",
        "grafana/secrets/ledger-password",
        "monitor/secrets/alerts.token",
        "alertmanager/secrets/alertmanager_token",
    }
    for path in tmp_path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        service = path.relative_to(tmp_path).parts[0]
        others_read = service in {
            "nats",
            "postgres",
            "grafana",
            "alertmanager",
        }  # images with users of their own
        assert not path.is_file() or mode == (0o444 if others_read else 0o400), path
    assert all(key.startswith("U") for key in public_keys(tmp_path).values())


def test_what_is_there_is_never_changed_and_what_is_lost_is_made_again(
    files: SecretFiles, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    assert files.make_missing().made == ()
    assert contents(tmp_path) == before
    (tmp_path / "risk/secrets/nats.nk").unlink()
    (tmp_path / "monitor/secrets/pgpass").unlink()
    assert files.make_missing().made == ("risk/nats.nk",)
    changed = {name for name, text in contents(tmp_path).items() if text != before[name]}
    assert changed == {"risk/secrets/nats.nk", "nats/secrets/public.conf"}
    seed = read_secret_file(tmp_path / "risk/secrets/nats.nk").reveal()
    assert public_keys(tmp_path)["RISK_KEY"] == public_key(seed)


def test_both_tokens_are_valid_until_the_old_one_is_retired(
    files: SecretFiles, tmp_path: Path
) -> None:
    source, state = FLEET.sources["tradingview"], tmp_path / "gateway"  # type: ignore[index]  # a name is a text
    (old,) = source_token_hashes(source, state)
    change = files.rotate("token:tradingview")
    new, still = source_token_hashes(source, state)
    assert (still, new != old) == (old, True)
    assert change.next_steps[0] == "docker compose kill -s HUP gateway"
    files.rotate("token:tradingview")  # a second time: the two newest
    newest, before = source_token_hashes(source, state)
    assert before == new
    files.retire("token:tradingview")
    assert source_token_hashes(source, state) == (newest,)
    assert (
        files.token("tradingview") == read_tokens(state / "secrets/tradingview.token")[0].reveal()
    )


def test_a_key_keeps_the_one_before_it_until_that_is_retired(
    files: SecretFiles, tmp_path: Path
) -> None:
    before = public_keys(tmp_path)
    files.rotate("nats:risk")
    after = public_keys(tmp_path)
    assert after["RISK_KEY_BEFORE"] == before["RISK_KEY"]
    assert after["RISK_KEY"] not in before.values()
    files.make_missing()  # the job of the next start
    assert public_keys(tmp_path) == after
    files.retire("nats:risk")
    retired = public_keys(tmp_path)
    assert before["RISK_KEY"] not in retired.values()
    same = {name: key for name, key in retired.items() if name != "RISK_KEY_BEFORE"}
    assert same == {name: key for name, key in after.items() if name != "RISK_KEY_BEFORE"}


def test_a_password_is_replaced_for_everyone_who_uses_it(
    files: SecretFiles, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    change = files.rotate("postgres:argos_reader")
    assert change.next_steps == ("docker compose up -d migrations",)
    changed = {name for name, text in contents(tmp_path).items() if text != before[name]}
    assert changed == {
        "database/secrets/argos_reader.password",
        "monitor/secrets/pgpass",
        "operator/secrets/pgpass",
        "grafana/secrets/ledger-password",
    }


@pytest.mark.parametrize("name", ["token:nobody", "nats:nobody", "postgres:postgres", "x", ""])
def test_an_unknown_secret_is_refused_with_the_known_ones(files: SecretFiles, name: str) -> None:
    with pytest.raises(ArgosError, match="nats:risk"):
        files.rotate(name)
