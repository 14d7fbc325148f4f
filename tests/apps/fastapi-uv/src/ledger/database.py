"""The table, and the engine that reaches it."""

import os

from sqlalchemy import Integer, MetaData, Table, create_engine
from sqlalchemy import Column

metadata = MetaData()
entries = Table("entries", metadata, Column("id", Integer, primary_key=True), Column("amount", Integer))


def engine():
    """Return an engine with psycopg 3, whatever the address says."""
    address = os.environ["DATABASE_URL"]
    return create_engine(address.replace("postgresql://", "postgresql+psycopg://", 1))
