"""The images that docker-compose.yml runs for the log and the ledger, alone, with our files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argos_cli.staging.database import READER, WRITER, prepare_database
from argos_cli.staging.secret_files import SecretFiles
from argos_common.runtime.credentials import read_secret_file
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.log import Append, CreateOnce, Mine
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream, verify_sync_always
from argos_common.runtime.settings import load_fleet
from argos_reconciler.adapters.sql.ledger import SqlLedger
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from services.reconciler.tests.reconciler_kit import Tape, entry_story
from tests.integration.compose_file import UTF8, settings
from tests.integration.compose_fleet import need_docker
from tests.integration.kit import FLEET_TOML

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def docker() -> None:
    need_docker()
    # It would clean up after us if we died; its image is one more that a registry must give.
    testcontainers_config.ryuk_disabled = True


@pytest.fixture
def nats(tmp_path: Path, docker: None) -> Iterator[DockerContainer]:
    """On ops/nats/nats.conf with fresh keys."""
    del docker
    SecretFiles(tmp_path, load_fleet(FLEET_TOML), SystemEntropy()).make_missing()
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    container = (
        DockerContainer(settings()["NATS_IMAGE"], user="10001:10001", read_only=True)
        .with_command("--config /etc/nats/nats.conf")
        .with_volume_mapping(FLEET_TOML.parent / "ops/nats/nats.conf", "/etc/nats/nats.conf", "ro")
        .with_volume_mapping(tmp_path / "nats/secrets", "/etc/nats/keys", "ro")
        .with_volume_mapping(data, "/data", "rw")
        .with_exposed_ports(4222, 8222)
        .waiting_for(
            HttpWaitStrategy(8222, "/healthz?js-enabled-only=true").with_startup_timeout(60)
        )
    )
    with container as found:
        yield found


async def test_the_log_is_kept_by_the_nats_image_on_our_configuration(
    nats: DockerContainer, tmp_path: Path
) -> None:
    host = nats.get_container_host_ip()

    def as_user(name: str) -> NatsSettings:
        seed = read_secret_file(tmp_path / name / "secrets/nats.nk").reveal()
        url = f"nats://{host}:{nats.get_exposed_port(4222)}"
        return NatsSettings(url=url, name=name, nkey_seed=seed)

    await verify_sync_always(f"http://{host}:{nats.get_exposed_port(8222)}")
    provision, risk = [await connect(as_user(n), timeout_s=10) for n in ("provision", "risk")]
    try:
        await ensure_stream(provision)
        log = NatsLog(risk)
        entry = Append(subject="argos.v1.verdict.mt5-hedge", data=b"x", condition=CreateOnce())
        assert isinstance(await log.append(entry), Mine)
        assert (await log.status()).last_sequence == 1
    finally:
        await risk.close()
        await provision.close()


async def test_the_ledger_is_kept_by_the_postgres_image_and_passwords_count(docker: None) -> None:
    del docker
    image = settings()["POSTGRES_IMAGE"]
    container = PostgresContainer(image, username="postgres", dbname="argos", driver="psycopg")
    with container.with_envs(**UTF8) as server:
        owner = server.get_connection_url()
        prepare_database(owner, {WRITER: "first", READER: "reader"})

        def as_writer(password: str) -> str:
            url = make_url(owner).set(username=WRITER, password=password)
            return url.render_as_string(hide_password=False)

        ledger = SqlLedger(as_writer("first"))
        await ledger.open("g1")
        tape = Tape().says(*entry_story(1))
        assert (await ledger.project(tape.items())).sequence == len(tape.items())

        prepare_database(owner, {WRITER: "second", READER: "reader"})
        tape.says(*entry_story(2))  # whoever is connected stays so
        assert (await ledger.project(tape.items())).sequence == len(tape.items())
        await ledger.close()
        for password, fits in (("first", False), ("second", True)):
            engine = create_engine(as_writer(password))
            try:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                assert fits
            except OperationalError:
                assert not fits
            engine.dispose()
