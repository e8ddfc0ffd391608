"""Each package declares what it imports.

One shared environment hides a missing declaration until the package is installed alone, in its own
container. A package may also use what argos-common declares: that is the fleet's common ground.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = sorted(
    path.parent
    for pattern in ("libs/*", "services/*", "simulation", "cli")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
# The test kit runs only where the development tools are installed.
TEST_KIT = ROOT / "libs/common/src/argos_common/testing"
TEST_TOOLS = {"pytest", "hypothesis", "httpx"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(member: Path) -> set[str]:
    """The distributions a member's pyproject.toml names, and its own."""
    project = tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [
        *project.get("dependencies", []),
        *(each for extra in project.get("optional-dependencies", {}).values() for each in extra),
    ]
    names = {re.split(r"[^\w.\-]", requirement, maxsplit=1)[0] for requirement in requirements}
    return {normalised(name) for name in names | {project["name"]}}


def imported(path: Path) -> dict[str, int]:
    """Top-level package -> first line that imports it, without the standard library."""
    found: dict[str, int] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    optional = optional_imports(tree)
    for node in ast.walk(tree):
        names: list[str] = []
        if node in optional:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and isinstance(node, ast.Import | ast.ImportFrom):
                found.setdefault(top, node.lineno)
    return found


def optional_imports(tree: ast.Module) -> set[ast.AST]:
    """Imports under ``except ImportError``: the code says what to do when they are absent."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        and any("ImportError" in ast.dump(handler) for handler in node.handlers)
        for statement in node.body
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_a_package_declares_what_it_imports(member: Path) -> None:
    offered = declared(member)
    if "argos-common" in offered:
        offered |= declared(ROOT / "libs/common")
    providers = packages_distributions()
    findings = []
    for path in sorted((member / "src").rglob("*.py")):
        allowed = offered | TEST_TOOLS if path.is_relative_to(TEST_KIT) else offered
        for package, line in sorted(imported(path).items()):
            candidates = {normalised(each) for each in providers.get(package, [package])}
            if not candidates & allowed:
                findings.append(
                    f"{path.relative_to(ROOT)}:{line}: imports {package}; add"
                    f" {' or '.join(sorted(candidates))} to {member.name}/pyproject.toml"
                )
    if findings:
        pytest.fail("\n".join(findings), pytrace=False)


def test_every_package_is_checked() -> None:
    assert len(MEMBERS) >= 10
