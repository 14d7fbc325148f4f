"""How the server reaches PostgreSQL.

The server's role may not change the schema. Nothing here creates a table: only Alembic does, as the owner.
"""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

CONNECT_SECONDS = 5
POOL_SIZE = 5
POOL_OVERFLOW = 10


def create_database_engine(db_url: str) -> Engine:
    """Make an engine for a libpq address.

    libpq's own parser reads it, because SQLAlchemy's does not know every form: a socket folder as `host`,
    or the several hosts of a cluster that fails over.
    """
    parameters = {"connect_timeout": CONNECT_SECONDS, "application_name": "aios", **conninfo_to_dict(db_url)}
    return create_engine(
        "postgresql+psycopg://",
        connect_args=parameters,
        # After a failover the pool holds dead connections: test each before it serves a request.
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=CONNECT_SECONDS,
    )


def read_schema_head(connection: Connection) -> str | None:
    """Return the last migration applied, or `None` in an empty database."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    head: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return head


def open_session(request: Request) -> Iterator[Session]:
    """Give a request one transaction: committed when it succeeds, rolled back when it raises."""
    with Session(request.app.state.engine) as session, session.begin():
        yield session


# Function scope commits before the answer leaves: nobody is told "saved" about a row that is not.
DatabaseSession = Annotated[Session, Depends(open_session, scope="function")]
