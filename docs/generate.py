# ruff: noqa: INP001 -- a script, no package
"""Write the reference pages that a program can write. `just docs` runs this; a test checks it."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import click

from shipway.appfile import reference
from shipway.cli import main
from shipway.kit import settings

REFERENCE = pathlib.Path(__file__).parent / "reference"

BY_HAND = "<!-- Written by docs/generate.py: run `just docs` instead of editing. -->\n\n"

CLI = """\
What each verb takes and does, as `--help` prints it. Exit codes stand in
[errors.md](errors.md). How to use them for something is in the [how-to guides](../howto/).
"""

SETTINGS = """\
A setting stands in `settings.toml` of the state folder, or in the environment, in capitals behind
`SHIPWAY_` (`SHIPWAY_HOME`). The environment wins. Unknown settings are refused.
"""


def pages() -> dict[str, str]:
    """Return each generated page by its name in docs/reference."""
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "shipway-toml.md": reference.page(),
        "shipway.schema.json": reference.schema_text(),
    }


def cli_page() -> str:
    """Return the help of every verb, as it is printed."""
    parts = [f"# The command line\n\n{BY_HAND}{CLI}"]
    parts.extend(
        f"## {' '.join(path)}\n\n```text\n{_help(path, command)}\n```\n"
        for path, command in _commands(("shipway",), main.shipway)
    )
    return "\n".join(parts)


def _commands(
    path: tuple[str, ...], command: click.Command
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            if not inner.hidden:
                yield from _commands((*path, name), inner)


def _help(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path), terminal_width=90)
    context.help_option_names = ["-h", "--help"]
    return command.get_help(context)


def settings_page() -> str:
    """Return every setting with its type, default and meaning, read from the class itself."""
    tree = ast.parse(pathlib.Path(settings.__file__).read_text())
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    lines = [
        "# Settings of a server\n",
        BY_HAND + SETTINGS,
        "| Setting | Type | Default | Meaning |\n|---|---|---|---|",
    ]
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            default = ast.unparse(node.value) if node.value else ""
            row = (node.target.id, ast.unparse(node.annotation), default)
            lines.append("| " + " | ".join(f"`{cell}`" for cell in row) + f" | {_said(after)} |")
    return "\n".join(lines) + "\n"


def _said(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
        case _:
            return ""


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
