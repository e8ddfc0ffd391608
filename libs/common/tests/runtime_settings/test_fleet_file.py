"""fleet.toml: the example is right, and every mistake is found, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import ConfigMistake
from argos_common.domain.ids import Account, Source
from argos_common.runtime.credentials import ensure_tokens, source_token_hashes, token_hash
from argos_common.runtime.entropy import SeededEntropy
from argos_common.runtime.settings import account_documents, check_fleet, load_fleet
from argos_common.runtime.toml_lines import TomlLines
from argos_common.wire.codec import from_json

EXAMPLE = Path(__file__).resolve().parents[4] / "fleet.toml"


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The example with some texts replaced."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def line_of(path: Path, start: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def test_the_example_has_no_mistake() -> None:
    assert check_fleet(EXAMPLE) == []
    fleet = load_fleet(EXAMPLE)
    assert list(fleet.accounts) == ["mt5-hedge", "mt5-net", "paper-spot"]
    assert fleet.strategies["trend"].accounts == ("mt5-hedge", "mt5-net")  # type: ignore[index]  # a plain text as name
    assert [each.account for each in fleet.node_accounts("mt5")] == ["mt5-hedge", "mt5-net"]


def test_an_account_document_is_the_account_and_always_hashes_the_same() -> None:
    fleet = load_fleet(EXAMPLE)
    documents = account_documents(fleet)
    assert documents == account_documents(load_fleet(EXAMPLE))
    for name, document in documents.items():
        assert from_json(AccountConfig, document.document) == fleet.accounts[name]
    assert len({each.config_hash for each in documents.values()}) == 3


def test_all_mistakes_are_found_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("rate_per_minute = 6000", "rate_per_minutes = 6000"),
        ("quantity = 0.10 ", "quantity = nan "),
        ("daily_loss_max = 5_000", "daily_loss_max = -5"),
        ('kind = "spot"', 'kind = "margin"'),
    )
    mistakes = check_fleet(path)
    assert [(each.key, each.line) for each in mistakes] == [
        ("sources.tradingview.rate_per_minutes", line_of(path, "rate_per_minutes")),
        ("strategies.trend.quantity", line_of(path, "quantity = nan")),
        ("accounts.mt5-hedge.limits.daily_loss_max", line_of(path, "daily_loss_max")),
        ("accounts.paper-spot.kind", line_of(path, 'kind = "margin"')),
    ]
    assert "did you mean rate_per_minute?" in mistakes[0].sentence
    with pytest.raises(ConfigMistake, match="has 4 mistakes"):
        load_fleet(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("order_value_max = 500_000\n", "", "order_value_max: is missing"),
        ("risk_percent_max = 2\n", "risk_percent_max = inf\n", "must be a number above zero"),
        ("risk_percent_max = 2\n", "risk_percent_max = true\n", "a number without quotes"),
        ('accounts = ["mt5-hedge", "mt5-net"]', 'accounts = ["mt5-hedg"]', "is no account"),
        ('sources = ["tradingview", "argos"]', 'sources = ["x"]', "is no source"),
        ('token_files = ["secrets/tradingview.token"]', 'token = "abc"', "must not stand in this"),
        ('["secrets/argos.token"]', '["secrets/tradingview.token"]', "give each source its own"),
        ("live = false ", "live = true ", "is a simulation"),
        ("live = false ", "live = true ", "phrase = \"trade real money on mt5-hedge\""),
        ('accounts = ["mt5-hedge"]', 'accounts = ["mt5-net"]', "one position per symbol"),
        ('dialect = "tradingview"', 'dialect = "tradingvew"', "did you mean tradingview?"),
        ('node = "mt5"', 'node = "mt6"', "is no node"),
        ('EURUSD = "EURUSD"\nGBPUSD', 'EURUSD = "GBPUSD"\nGBPUSD', "as another symbol does"),
        ('kind = "paper"', 'kind = "paper"\nlogin = 5', 'terminal = "real"'),
        ("[nodes.mt5]", "[nodes.MT5]", "is no name"),
        ("require_stop = true\n\n[strategies.stacker]", "require_stop = false\n\n[strategies.stacker]",
         "must be true where the size comes from the stop"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_the_fix(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    sentences = [str(each) for each in check_fleet(changed(tmp_path, (old, new)))]
    assert [each for each in sentences if sentence in each], sentences
    assert all("\n" not in each for each in sentences)


def test_an_armed_live_account_on_a_real_terminal_is_accepted(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ('accounts = ["mt5-hedge", "mt5-net"]', 'accounts = ["mt5-hedge"]'),
        ("[strategies.trend.multipliers]\nmt5-net = 0.5           # half the size there\n", ""),
        ("live = false ", "live = true "),
        ("settling_s = 3  ", "settling_s = 60  "),
        ('terminal = "simulated"', 'terminal = "real"\nlogin = 5\nserver = "S"\npassword_env = "P"'),
        ('node = "mt5"\nkind = "netting"', 'node = "mt5b"\nkind = "netting"'),
        ("[nodes.paper]", '[nodes.mt5b]\nkind = "mt5"\n\n[arming.mt5-hedge]\n'
         'phrase = "trade real money on mt5-hedge"\n\n[nodes.paper]'),
    )  # fmt: skip
    assert check_fleet(path) == []


def test_a_file_that_is_no_toml_is_one_sentence_with_the_line(tmp_path: Path) -> None:
    path = changed(tmp_path, ('name = "demo"', "name = demo\x00"))
    (mistake,) = check_fleet(path)
    assert "is not TOML" in mistake.sentence
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigMistake, match="cannot be read"):
        load_fleet(path)
    with pytest.raises(ConfigMistake, match="there is no"):
        load_fleet(tmp_path / "absent.toml")


def test_lines_are_found_across_strings_and_arrays_of_many_lines() -> None:
    text = (
        'a = """\nb = 1\n"""\nc = [\n  "]", # d = 2\n  1,\n]\n"d.e" = {f = 1}\n[g."h.i"]\nj.k = 1\n'
    )
    lines = TomlLines(text)
    assert lines.line(("b",)) == 1
    assert lines.line(("c",)) == 4
    assert lines.line(("d.e", "f")) == 8
    assert lines.line(("g", "h.i")) == 9
    assert lines.line(("g", "h.i", "j", "k")) == 10


def test_missing_tokens_are_made_for_the_owner_only_and_kept(tmp_path: Path) -> None:
    fleet = load_fleet(EXAMPLE)
    files = ensure_tokens(fleet, tmp_path, SeededEntropy(1))
    token = files["tradingview"].read_text().strip()
    assert len(token) == 32
    assert files["tradingview"].stat().st_mode & 0o777 == 0o600
    ensure_tokens(fleet, tmp_path, SeededEntropy(2))
    hashes = source_token_hashes(fleet.sources[Source("tradingview")], tmp_path)
    assert hashes == (token_hash(token),)
    files["tradingview"].unlink()
    with pytest.raises(ConfigMistake, match="cannot be read"):
        source_token_hashes(fleet.sources[Source("tradingview")], tmp_path)
    assert Account("mt5-net") in fleet.accounts


@pytest.mark.parametrize("gone", ['kind = "hedging"', 'quantity_rule = "fixed"'])
def test_a_missing_choice_is_a_mistake_with_a_line_not_a_crash(tmp_path: Path, gone: str) -> None:
    path = tmp_path / "fleet.toml"
    text = EXAMPLE.read_text(encoding="utf-8")
    assert gone in text
    path.write_text(text.replace(gone, "", 1), encoding="utf-8")
    assert any(gone.split()[0] in each.key for each in check_fleet(path))


def test_a_table_that_only_its_sub_tables_make_has_the_line_of_the_first() -> None:
    lines = TomlLines('name = "x"\n\n[nods.paper]\nkind = "paper"\n[nods.mt5]\n')
    assert (lines.line(("nods",)), lines.line(("nods", "mt5")), lines.line(("gone",))) == (3, 5, 1)


def test_a_file_that_is_a_folder_is_one_plain_sentence(tmp_path: Path) -> None:
    (mistake,) = check_fleet(tmp_path)
    assert mistake.sentence == (
        f"{tmp_path} cannot be read (Is a directory): name a file that can be, with --config or"
        " ARGOS_CONFIG"
    )


def test_a_file_that_is_no_text_is_one_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_bytes(b'name = "\xff"')
    (mistake,) = check_fleet(tmp_path / "fleet.toml")
    assert mistake.sentence.endswith("cannot be read (it is not UTF-8 text): save it as UTF-8")
