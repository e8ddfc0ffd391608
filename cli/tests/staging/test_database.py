"""The job that makes the ledger's roles and tables: again and again to the same end."""

from __future__ import annotations

import pytest
from argos_cli.staging.database import READER, WRITER, prepare_database
from argos_reconciler.adapters.sql import tables
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

pytestmark = pytest.mark.postgres


def as_role(url: str, role: str, password: str) -> str:
    found = make_url(url).set(username=role, password=password)
    return found.render_as_string(hide_password=False)


def test_the_writer_owns_the_tables_and_the_reader_only_reads(empty_postgres: str) -> None:
    url, passwords = empty_postgres, {WRITER: "it's:one", READER: "two"}
    version = prepare_database(url, passwords)
    assert prepare_database(url, passwords | {READER: "another"}) == version

    writer = create_engine(as_role(url, WRITER, passwords[WRITER]))
    reader = create_engine(as_role(url, READER, "another"))
    row = {"id": 1, "generation": "g1", "sequence": 0, "hash": "h"}
    with writer.begin() as connection:
        connection.execute(tables.checkpoint.insert(), row)
    with reader.connect() as connection:
        assert connection.execute(select(tables.checkpoint.c.generation)).scalar() == "g1"
    for statement in ("DELETE FROM checkpoint", "CREATE TABLE mine (id int)", f"SET ROLE {WRITER}"):
        with reader.connect() as connection, pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(text(statement))
    for engine in (writer, reader):
        engine.dispose()
