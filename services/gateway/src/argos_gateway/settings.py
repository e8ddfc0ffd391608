"""Who may come to the door: what the gateway takes from the fleet's configuration, with the secrets read in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from argos_common.domain.errors import ConfigMistake
from argos_common.domain.ids import Source
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.credentials import read_secret, source_token_hashes
from argos_common.runtime.fleet import Fleet

from argos_gateway.core.access import Access
from argos_gateway.core.intake import Door, KnownSource, KnownStrategy

SECRET_LENGTH_MIN = 8


def read_access(fleet: Fleet, state_dir: Path, variables: Mapping[str, str]) -> Access:
    """Read the secrets and put it together. Raises ConfigMistake if a secret cannot be read."""
    sources = {}
    for name, each in fleet.sources.items():
        secret = read_secret(each.body_secret_file, each.body_secret_env, state_dir, variables)
        if secret and len(secret.reveal()) < SECRET_LENGTH_MIN:
            raise ConfigMistake(
                f"the body secret of source {name} is shorter than {SECRET_LENGTH_MIN} characters:"
                " make it longer"
            )
        sources[str(name)] = KnownSource(
            name=Source(name),
            dialect=each.dialect,
            max_age_ns=each.max_age_s * NS_PER_S,
            bucket_ns=each.receipt_bucket_s * NS_PER_S,
            body_secret=secret.reveal() if secret else None,
        )
    return Access(
        door=Door(
            strategies={
                str(name): KnownStrategy(sources=each.sources, bot_versions=each.bot_versions)
                for name, each in fleet.strategies.items()
            },
            symbols=fleet.symbols,
        ),
        sources=sources,
        token_hashes={
            str(name): source_token_hashes(each, state_dir) for name, each in fleet.sources.items()
        },
        rates={str(name): each.rate_per_minute for name, each in fleet.sources.items()},
    )
