"""docker-compose.yml as plain data: read here from the file, or from `docker compose config`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
CLUSTER = ROOT / "docker-compose.cluster.yml"
EVERY_PROFILE = ("paper", "live", "observe", "tools", "edge")
Json = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::?([-+])([^}]*))?\}")


def settings() -> dict[str, str]:
    """What .env says: the images, among others."""
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return dict(pairs)


def from_file(*more: Path) -> Json:
    """The file, and others over it, with variables filled in, as far as Compose need not be asked."""
    whole = _parsed(FILE)
    for path in more:
        whole = _over(whole, _parsed(path))
    return whole


def _parsed(path: Path) -> Json:
    known = settings()

    def filled(found: re.Match[str]) -> str:
        value = known.get(found[1], "")
        return (value and found[3]) if found[2] == "+" else (value or found[3] or "")

    text = path.read_text(encoding="utf-8").replace("$$", "$\0")
    parsed = yaml.safe_load(_VARIABLE.sub(filled, text).replace("$\0", "$"))
    assert isinstance(parsed, dict)
    return parsed


def _over(below: Json, above: Json) -> Json:
    """As Compose does with what our files hold: mappings are joined, mounts added, the rest replaced."""
    joined = dict(below)
    for name, value in above.items():
        known = joined.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            joined[name] = _over(known, value)
        elif name == "volumes" and isinstance(known, list):
            joined[name] = [*known, *value]
        else:
            joined[name] = value
    return joined


UTF8 = {"POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C.UTF-8"}
"""As in docker-compose.yml: an image's own default may be another."""


def has_compose() -> bool:
    """Whether `docker compose` is installed; a daemon is not needed to read a file."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def from_compose(*more: Path) -> Json:
    """What Compose makes of the file and of others over it, with every profile."""
    files = [word for each in (FILE, *more) for word in ("-f", str(each))]
    profiles = [word for each in EVERY_PROFILE for word in ("--profile", each)]
    asked = subprocess.run(
        ["docker", "compose", *files, *profiles, "config", "--format", "json"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    parsed = json.loads(asked.stdout)
    assert isinstance(parsed, dict)
    return parsed
