"""Style that no linter checks, as tests. Each failure names the place and what to do there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("libs", "services", "simulation", "cli", "tests", "tools")
GENERATED = ROOT / "libs/common/src/argos_common/wire/pb"
TEXT_SUFFIXES = {
    ".cfg", ".conf", ".ini", ".json", ".md", ".proto", ".py", ".sh", ".sql", ".toml", ".txt",
    ".yaml", ".yml", "",
}  # fmt: skip
NOT_OURS = {
    ".git", ".venv", ".tools", ".argos", ".hypothesis", ".import_linter_cache", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", "__pycache__", "runs",
}  # fmt: skip

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
INITS_WITH_CODE = {ROOT / "libs/common/src/argos_common/__init__.py"}

MACHINE_PATH = re.compile(r"(?<![\w.\-])/(?:work|root|home/\w+)/")
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(?:\[[\w, \-]+\])?(?P<rest>.*)")
NOQA = re.compile(r"#\s*noqa\b(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<rest>.*)")
REASON = re.compile(r"\w+\W+\w+")  # at least two words


def python_files() -> list[Path]:
    """Every hand-written Python file of the project."""
    return sorted(
        path
        for folder in CODE_FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if GENERATED not in path.parents and not NOT_OURS & set(path.parts)
    )


def pure_files() -> list[Path]:
    """The files that only decide: every core, and the domain."""
    return [
        path
        for path in python_files()
        if "src" in path.parts
        and (
            "core" in path.parts
            or path.is_relative_to(ROOT / "libs/common/src/argos_common/domain")
        )
    ]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def report(findings: list[str]) -> None:
    if findings:
        pytest.fail("\n".join(findings), pytrace=False)


def test_the_tree_is_found() -> None:
    assert len(python_files()) > 20
    assert pure_files()


def test_functions_fit_on_a_screen() -> None:
    findings = []
    for path in python_files():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    message = (
                        f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}: split it"
                    )
                    findings.append(at(path, node.lineno, message))
    report(findings)


def test_files_stay_small() -> None:
    findings = []
    for path in python_files():
        limit = TEST_FILE_LINES_MAX if "tests" in path.parts else FILE_LINES_MAX
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            findings.append(at(path, lines, f"{lines} lines, at most {limit}: split by subject"))
    report(findings)


FLOAT_BORDER = "services/mt5-node/src/argos_mt5_node/core/numbers.py"
"""MetaTrader speaks floats; there they become Decimals and back, and nowhere else."""


def test_no_float_where_decisions_are_made() -> None:
    findings = []
    for path in pure_files():
        if path == ROOT / FLOAT_BORDER:
            continue
        for node in ast.walk(parsed(path)):
            named = isinstance(node, ast.Name) and node.id == "float"
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            if (named or literal) and isinstance(node, ast.Name | ast.Constant):
                findings.append(at(path, node.lineno, "float: use Decimal, or integer units"))
    report(findings)


def test_no_set_is_iterated_where_decisions_are_made() -> None:
    findings = []
    for path in pure_files():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
                message = "iterates a set: its order differs from run to run; sort it first"
                findings.append(at(path, node.iter.lineno, message))
    report(findings)


def _is_set(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    if called and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"set", "frozenset"}
    return isinstance(node, ast.Set | ast.SetComp)


def test_package_files_are_empty() -> None:
    report(
        [
            at(path, 1, "move the code to a named module; importing a package must do nothing")
            for path in python_files()
            if path.name == "__init__.py"
            and path not in INITS_WITH_CODE
            and any(not _is_docstring(node) for node in parsed(path).body)
        ]
    )


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def test_imports_are_absolute() -> None:
    findings = []
    for path in python_files():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.level:
                findings.append(at(path, node.lineno, "relative import: name the package"))
    report(findings)


def test_every_exception_to_a_check_says_why() -> None:
    findings = []
    for path in python_files():
        for line, comment in _comments(path):
            for pattern in (TYPE_IGNORE, NOQA):
                found = pattern.search(comment)
                if found and not REASON.search(found["rest"]):
                    findings.append(at(path, line, f"`{comment}` needs a reason behind it"))
    report(findings)


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    source = io.StringIO(path.read_text(encoding="utf-8"))
    for token in tokenize.generate_tokens(source.readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_nothing_names_a_path_of_one_machine() -> None:
    findings = []
    for path in _text_files(ROOT):
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if MACHINE_PATH.search(line):
                findings.append(at(path, number, "names a path that exists on one machine only"))
    report(findings)


def _text_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path == Path(__file__).resolve() or path.is_symlink():
            continue
        if path.is_dir():
            yield from _text_files(path)
        elif path.suffix in TEXT_SUFFIXES:
            yield path
