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
EVERY_PROFILE = ("paper", "live", "observe", "tools", "edge")
Json = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::?-([^}]*))?\}")


def settings() -> dict[str, str]:
    """What .env says: the images, among others."""
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return dict(pairs)


def from_file() -> Json:
    """The file with its variables filled in, as far as Compose itself need not be asked."""
    known = settings()
    text = FILE.read_text(encoding="utf-8").replace("$$", "$\0")
    text = _VARIABLE.sub(lambda found: known.get(found[1]) or found[2] or "", text)
    parsed = yaml.safe_load(text.replace("$\0", "$"))
    assert isinstance(parsed, dict)
    return parsed


UTF8 = {"POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C.UTF-8"}
"""As in docker-compose.yml: an image's own default may be another."""


def has_compose() -> bool:
    """Whether `docker compose` is installed; a daemon is not needed to read a file."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def from_compose() -> Json:
    """What Compose makes of the file, with every profile."""
    profiles = [word for each in EVERY_PROFILE for word in ("--profile", each)]
    asked = subprocess.run(
        ["docker", "compose", "-f", str(FILE), *profiles, "config", "--format", "json"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    parsed = json.loads(asked.stdout)
    assert isinstance(parsed, dict)
    return parsed
