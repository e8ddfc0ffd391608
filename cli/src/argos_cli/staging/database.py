"""The ledger's database: its roles with the passwords of the day, and its tables.

`argos_ledger` owns the tables and writes them; `argos_reader` reads them. A password that was
replaced takes effect here; whoever is connected stays so.
"""

from __future__ import annotations

from alembic import command
from argos_reconciler.adapters.sql.engine import engine_for, explained, migrations
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

WRITER, READER = "argos_ledger", "argos_reader"


def prepare_database(owner_url: str, passwords: dict[str, str]) -> str:
    """Roles, rights and tables; the version of the tables. Raises OurMistake or LedgerUnavailable.

    `owner_url` connects as the database's owner; `passwords` by role.
    """
    engine = engine_for(owner_url)
    try:
        with engine.connect() as connection:
            with connection.begin():
                _roles(connection, make_url(owner_url).database or "argos", passwords)
            with connection.begin():
                connection.execute(text(f"SET ROLE {WRITER}"))
                config = migrations()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                found = connection.execute(text("SELECT version_num FROM alembic_version"))
                return str(found.scalar_one())
    except SQLAlchemyError as error:
        raise explained(error, owner_url) from None
    finally:
        engine.dispose()


def _roles(connection: Connection, database: str, passwords: dict[str, str]) -> None:
    # Two jobs at once would both find a role missing.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('argos roles'))"))
    known = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
    for role in (WRITER, READER):
        # The driver cannot bind values in these statements, so the server quotes them.
        verb = "ALTER" if role in known else "CREATE"
        statement = connection.execute(
            text("SELECT format('%s ROLE %I LOGIN PASSWORD %L', CAST(:verb AS text),"
                 " CAST(:role AS text), CAST(:password AS text))"),
            {"verb": verb, "role": role, "password": passwords[role]},
        ).scalar_one()  # fmt: skip
        connection.execute(text(str(statement).replace(":", "\\:")))
    for statement in (
        f"GRANT CONNECT ON DATABASE {_quoted(connection, database)} TO {WRITER}, {READER}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {WRITER}",
        f"GRANT USAGE ON SCHEMA public TO {READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {WRITER} IN SCHEMA public"
        f" GRANT SELECT ON TABLES TO {READER}",
    ):
        connection.execute(text(statement))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
