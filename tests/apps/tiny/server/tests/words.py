import pathlib
import unittest

import tiny


class Words(unittest.TestCase):
    def test_it_has_a_version(self) -> None:
        self.assertTrue(tiny.VERSION)

    def test_it_has_migrations(self) -> None:
        self.assertTrue(list(pathlib.Path("migrations").glob("*.sql")))
