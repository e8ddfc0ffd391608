"""Secrets, from files or the environment: never in the configuration, never shown.

A token file holds one line, or two while a token is being replaced: both are valid then. Tokens
are compared by hash only, so nothing here keeps the clear text longer than needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.fleet import Fleet, SourceSettings

TOKEN_BYTES = 16
TOKENS_MAX = 2


class Secret:
    """A text that does not show itself. `reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._text)


def read_secret_file(path: Path) -> Secret:
    """The first line of a file. Raises ConfigMistake."""
    text = _text(path)
    if not text or "\n" in text:
        raise ConfigMistake(f"{path} must hold a secret on one line")
    return Secret(text)


def read_tokens(path: Path) -> tuple[Secret, ...]:
    """The tokens in a file, the newest first. Raises ConfigMistake."""
    lines = _text(path).split()
    if not 1 <= len(lines) <= TOKENS_MAX:
        raise ConfigMistake(f"{path} must hold one token on a line of its own, or two")
    return tuple(Secret(line) for line in lines)


def read_secret(
    file: str, variable: str, folder: Path, variables: Mapping[str, str]
) -> Secret | None:
    """A secret named by a file (relative to `folder`) or a variable; None if neither is named."""
    if file:
        return read_secret_file(folder / file)
    if variable:
        if not variables.get(variable):
            raise ConfigMistake(f"the environment variable {variable} is empty: set the secret")
        return Secret(variables[variable])
    return None


def token_hash(token: str) -> str:
    """What a token is compared by: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def source_token_hashes(source: SourceSettings, state_dir: Path) -> tuple[str, ...]:
    """The hashes of all tokens of a source. Raises ConfigMistake if a file is missing."""
    tokens = [token for file in source.token_files for token in read_tokens(state_dir / file)]
    return (*source.token_hashes, *(token_hash(each.reveal()) for each in tokens))


def ensure_tokens(fleet: Fleet, state_dir: Path, entropy: Entropy) -> dict[str, Path]:
    """Create the token files that are missing, for the owner only; (source -> its first file)."""
    found: dict[str, Path] = {}
    for name, source in fleet.sources.items():
        for file in source.token_files:
            path = state_dir / file
            found.setdefault(name, path)
            if not path.exists():
                _create(path, entropy.token(TOKEN_BYTES).hex())
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "not a text"
        raise ConfigMistake(
            f"the secret in {path} cannot be read ({reason}): write it there, on one line"
        ) from None


def _create(path: Path, token: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # somebody else has just made it
    except OSError as error:
        raise ConfigMistake(
            f"the token file {path} cannot be created ({error.strerror}): make the folder writable"
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
