"""Writes the reference of `shipway.toml` into a folder: `python -m shipway.appfile docs/reference`."""

from __future__ import annotations

import pathlib
import sys

from shipway.appfile import reference


def main(folder: str) -> None:
    target = pathlib.Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "shipway.schema.json").write_text(reference.schema_text())
    (target / "shipway-toml.md").write_text(reference.page())


if __name__ == "__main__":
    main(sys.argv[1])
