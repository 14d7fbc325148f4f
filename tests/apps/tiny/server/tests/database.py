import os
import pathlib
import unittest

import psycopg

from tiny import migrate, server


class Database(unittest.TestCase):
    def test_migrations_apply_once_and_the_server_sees_them(self) -> None:
        with psycopg.connect(os.environ["DB_URL"]) as connection:
            for _ in range(2):
                migrate.migrate(connection, pathlib.Path("migrations"))
            newest = max(file.stem for file in pathlib.Path("migrations").glob("*.sql"))
            self.assertEqual(migrate.head(connection), newest)
        status, facts = server.health()
        self.assertEqual((status, facts["schema_head"]), (200, newest))
