"""The secrets of a staging fleet: one folder for each service that needs some, nothing elsewhere.

    <root>/gateway/secrets/     its NATS key; the tokens of the sources
    <root>/risk/secrets/ …      the NATS key of that service; system: of who asks the servers
    <root>/reconciler/secrets/  also the password of the ledger's writer, as a libpq password file
    <root>/monitor/secrets/     also that of its reader
    <root>/nats/secrets/        public keys only
    <root>/postgres/secrets/    the password of the database's owner
    <root>/database/secrets/    all three passwords, for the job that makes the roles
    <root>/grafana/secrets/     the administrator's password; the ledger's reader's
    <root>/alertmanager/secrets/    the token for the monitor, which has it, too

What is there is never changed, except to replace one secret at a time: `rotate` makes a new one and
keeps the old one valid, `retire` ends the old one. Both files are complete at every moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nkeys
from argos_common.domain.errors import ConfigMistake, OurMistake
from argos_common.runtime.credentials import TOKEN_BYTES, read_secret_file, read_tokens
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.fleet import Fleet

from argos_cli.staging.whole_file import write_whole

NATS_USERS = (
    "gateway",
    "risk",
    "bridge",
    "reconciler",
    "monitor",
    "operator",
    "provision",
    "system",
)
ROLES: Mapping[str, tuple[str, ...]] = {
    "argos_ledger": ("reconciler",),
    "argos_reader": ("monitor", "operator", "grafana"),
}
"""Role of the database -> who connects with it."""
OWNER = "postgres"

SEED_FILE, PUBLIC_FILE, PGPASS_FILE = "nats.nk", "public.conf", "pgpass"
_PASSWORD_BYTES = 24
_OURS, _ANYBODY = 0o400, 0o444
"""Our services share a user; other images have their own, and alone mount what they may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was made or replaced, and what to do next; no secret."""

    made: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


def joined(changes: Iterable[Change]) -> Change:
    """Several as one; equal steps are taken once."""
    found = list(changes)
    return Change(
        made=tuple(name for each in found for name in each.made),
        next_steps=tuple(dict.fromkeys(step for each in found for step in each.next_steps)),
    )


class SecretFiles:
    """The folders below `root`. Every method may run again."""

    def __init__(self, root: Path, fleet: Fleet, entropy: Entropy) -> None:
        self._root = root
        self._fleet = fleet
        self._entropy = entropy
        self._made: list[str] = []

    def make_missing(self) -> Change:
        """Make every secret that is not there yet. Raises ConfigMistake or OurMistake."""
        self._made = []
        for path in self._token_files().values():
            self._once(path, self._token, _OURS)
        for user in NATS_USERS:
            self._once(self._seed_file(user), self._seed, _OURS)
        self._write_public_keys({})
        for role in ROLES:
            self._once(self._role_file(role), self._password, _OURS)
        self._once(self._in("postgres", "password"), self._password, _ANYBODY)
        self._once(self._in("grafana", "admin-password"), self._password, _ANYBODY)
        self._once(self._in("monitor", "alerts.token"), self._token, _OURS)
        self._write_passwords()
        return Change(made=tuple(self._made))

    def rotate(self, name: str) -> Change:
        """Replace one secret: token:<source>, nats:<service> or postgres:<role>.

        A token or key that it replaces stays valid until `retire`. Raises OurMistake.
        """
        kind, _, which = name.partition(":")
        if kind == "token":
            path = self._token_file(which)
            newest = read_tokens(path)[0].reveal()
            self._write(path, f"{self._token()}\n{newest}", _OURS)
            return Change(
                made=(name,),
                next_steps=(
                    "docker compose kill -s HUP gateway",
                    f"put the new token into the alerts: argos staging token {which}",
                    f"argos staging retire {name}",
                ),
            )
        if kind == "nats" and which in NATS_USERS:
            seed = self._seed()
            # The server's side first: a service that restarts meanwhile comes in with either.
            known = {f"{which.upper()}_KEY": public_key(seed), _before(which): self._public(which)}
            self._write_public_keys(known)
            self._write(self._seed_file(which), seed, _OURS)
            return Change(
                made=(name,),
                next_steps=(
                    "docker compose kill -s HUP nats",
                    f"docker compose restart {which}",
                    f"argos staging retire {name}",
                ),
            )
        if kind == "postgres" and which in ROLES:
            self._write(self._role_file(which), self._password(), _OURS)
            self._write_passwords()
            return Change(made=(name,), next_steps=("docker compose up -d migrations",))
        raise OurMistake(_unknown(name, self._token_files()))

    def retire(self, name: str) -> Change:
        """End the validity of what `rotate` replaced. Raises OurMistake."""
        kind, _, which = name.partition(":")
        if kind == "token":
            path = self._token_file(which)
            self._write(path, read_tokens(path)[0].reveal(), _OURS)
            return Change(made=(name,), next_steps=("docker compose kill -s HUP gateway",))
        if kind == "nats" and which in NATS_USERS:
            self._write_public_keys({_before(which): public_key(self._seed())})
            return Change(made=(name,), next_steps=("docker compose kill -s HUP nats",))
        raise OurMistake(_unknown(name, self._token_files()))

    def token(self, source: str) -> str:
        """The newest token of a source. Raises OurMistake or ConfigMistake."""
        return read_tokens(self._token_file(source))[0].reveal()

    # --- where

    def _in(self, service: str, file: str) -> Path:
        return self._root / service / "secrets" / file

    def _seed_file(self, user: str) -> Path:
        return self._in(user, SEED_FILE)

    def _role_file(self, role: str) -> Path:
        return self._in("database", f"{role}.password")

    def _token_files(self) -> dict[str, Path]:
        found = {}
        for name, source in self._fleet.sources.items():
            for file in source.token_files[:1]:
                if (
                    Path(file).parts[:1] != ("secrets",) or len(Path(file).parts) != 2
                ):  # folder, file
                    raise ConfigMistake(
                        f"sources.{name}.token_files is {file!r}: here it must be secrets/<file>"
                    )
                found[str(name)] = self._root / "gateway" / file
        return found

    def _token_file(self, source: str) -> Path:
        found = self._token_files().get(source)
        if found is None:
            raise OurMistake(_unknown(f"token:{source}", self._token_files()))
        return found

    # --- what

    def _token(self) -> str:
        return self._entropy.token(TOKEN_BYTES).hex()

    def _password(self) -> str:
        return self._entropy.token(_PASSWORD_BYTES).hex()

    def _seed(self) -> str:
        raw = self._entropy.token(32)  # an Ed25519 seed
        return str(nkeys.encode_seed(raw, nkeys.PREFIX_BYTE_USER), "ascii")

    def _public(self, user: str) -> str:
        return public_key(read_secret_file(self._seed_file(user)).reveal())

    def _write_public_keys(self, known: Mapping[str, str]) -> None:
        """Every user's key, and the one before it; where none is known, one that nobody has.

        `known` goes before what the seeds and the file say.
        """
        path = self._in("nats", PUBLIC_FILE)
        found = _public_keys(path)
        lines = ["# Written by `argos staging`. Public keys only; the seeds are with the services."]
        for user in NATS_USERS:
            now, before = f"{user.upper()}_KEY", _before(user)
            old = known.get(before) or found.get(before) or public_key(self._seed())
            lines.append(f'{now}: "{known.get(now) or self._public(user)}"')
            lines.append(f'{before}: "{old}"')
        text = "\n".join(lines)
        if not path.exists() or path.read_text(encoding="utf-8") != text + "\n":
            self._write(path, text, _ANYBODY)

    def _write_passwords(self) -> None:
        """What each client of the database needs, as libpq reads it: only its owner may read it.

        And the token with which Alertmanager comes to the monitor.
        """
        alerts = read_secret_file(self._in("monitor", "alerts.token")).reveal()
        self._write_changed(self._in("alertmanager", "alertmanager_token"), alerts, _ANYBODY)
        owner = read_secret_file(self._in("postgres", "password")).reveal()
        self._write_changed(self._in("database", PGPASS_FILE), f"*:*:*:{OWNER}:{owner}", _OURS)
        for role, clients in ROLES.items():
            password = read_secret_file(self._role_file(role)).reveal()
            for client in clients:
                if client == "grafana":
                    self._write_changed(self._in(client, "ledger-password"), password, _ANYBODY)
                else:
                    line = f"*:*:*:{role}:{password}"
                    self._write_changed(self._in(client, PGPASS_FILE), line, _OURS)

    # --- how

    def _once(self, path: Path, make: Callable[[], str], mode: int) -> None:
        if not path.exists():
            self._write(path, make(), mode)
            self._made.append(f"{path.parent.parent.name}/{path.name}")

    def _write_changed(self, path: Path, text: str, mode: int) -> None:
        if not path.exists() or path.read_text(encoding="utf-8") != text + "\n":
            self._write(path, text, mode)

    def _write(self, path: Path, text: str, mode: int) -> None:
        write_whole(path, text + "\n", mode)


def public_key(seed: str) -> str:
    """The public half of an nkey seed."""
    pair = nkeys.from_seed(bytearray(seed.encode()))
    text = str(pair.public_key, "ascii")
    pair.wipe()
    return text


def _before(user: str) -> str:
    return f"{user.upper()}_KEY_BEFORE"


def _public_keys(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#")]
    return {name: key.strip('"') for name, key in pairs}


def _unknown(name: str, sources: Mapping[str, Path]) -> str:
    known = [f"token:{each}" for each in sources] + [f"nats:{each}" for each in NATS_USERS]
    known += [f"postgres:{each}" for each in ROLES]
    return f"{name!r} names no secret that can be replaced; there are {', '.join(known)}"
