from __future__ import annotations

import pathlib
import tarfile

import pytest

from shipway.database import history
from shipway.database.history import Applied


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("migrations/0001_notes.sql", True),
        ("migrations/versions/3f2a_notes.py", True),
        ("notes/migrations/0002_done.py", True),
        ("prisma/migrations/20261123_notes/migration.sql", True),
        ("db/V2__notes.sql", True),
        ("migrations/env.py", False),
        ("migrations/script.py.mako", False),
        ("alembic.ini", False),
        ("node_modules/x/migrations/0001_x.js", False),
    ],
)
def test_migrations_are_known_by_their_names(path: str, *, is_one: bool) -> None:
    assert history.is_migration(path) is is_one


def test_an_app_may_say_which_files_are_migrations() -> None:
    assert history.is_migration("schema/first.sql", ["schema/*.sql"])
    assert not history.is_migration("migrations/0001_notes.sql", ["schema/*.sql"])


def test_the_migrations_of_an_artifact_are_summed_up(tmp_path: pathlib.Path) -> None:
    (tmp_path / "0001_notes.sql").write_text("create table notes ()")
    (tmp_path / "readme.md").write_text("hello")
    with tarfile.open(tmp_path / "m.tar", "w") as tar:
        for name in ("0001_notes.sql", "readme.md"):
            tar.add(tmp_path / name, arcname=f"migrations/{name}")
    assert list(history.digests(tmp_path / "m.tar")) == ["migrations/0001_notes.sql"]


def test_an_edited_migration_is_refused_with_its_release() -> None:
    applied = {"a/0001.sql": Applied("old", "v1"), "a/0002.sql": Applied("same", "v1")}
    files = {"a/0001.sql": "new", "a/0002.sql": "same", "a/0003.sql": "more"}
    assert history.refusal(files, applied, "production") == (
        "A migration was edited after it ran in production: a/0001.sql (which ran with v1). Put it"
        " back as it was, and write what you want to change as a new migration."
    )
    assert not history.refusal({"a/0003.sql": "more"}, applied, "production")


def test_what_has_run_is_all_up_to_the_head() -> None:
    files = {"m/0001_a.sql": "1", "m/0002_b.sql": "2", "m/0003_c.sql": "3"}
    assert list(history.ran(files, "0002_b", failed=True)) == ["m/0001_a.sql", "m/0002_b.sql"]
    assert history.ran(files, "3f2a", failed=False) == files
    hashed = {"versions/1234ab_later.py": "1", "versions/64c9_first.py": "2"}
    assert history.ran(hashed, "1234ab", failed=False) == hashed
    assert history.ran(hashed, "64c9", failed=True) == {}
    assert history.ran(files, "an unknown place", failed=True) == {}
