"""`python -m aios.schema_head` prints the last migration applied to `DB_URL`, and nothing else."""

import os
import sys

from aios.database import create_database_engine, read_schema_head
from aios.settings import load_db_url


def main() -> None:
    """Print the schema head; an empty database prints an empty line."""
    engine = create_database_engine(load_db_url(os.environ))
    with engine.connect() as connection:
        head = read_schema_head(connection)
    engine.dispose()
    sys.stdout.write(f"{head or ''}\n")


if __name__ == "__main__":
    main()
