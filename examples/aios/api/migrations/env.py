"""Connects Alembic to `DB_URL`. Of the server it needs the tables and the way to the database, no more."""

import logging
import os

from alembic import context

from aios.database import create_database_engine
from aios.models import Base
from aios.settings import load_db_url


def migrate() -> None:
    """Apply the migrations, each in a transaction of its own: a failure keeps those before it."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)
    engine = create_database_engine(load_db_url(os.environ))
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


migrate()
