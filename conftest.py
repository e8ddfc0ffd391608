"""Fixtures for tests of several packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine, text

from tests.postgres_server import NoPostgres, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A Postgres server, one for each test process; skips with the way to have one."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except NoPostgres as error:
            pytest.skip(str(error))
        yield url


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    """Its database with nothing in it."""
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres
