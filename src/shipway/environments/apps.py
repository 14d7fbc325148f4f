"""The apps of this Shipway, each with the `shipway.toml` in force."""

from __future__ import annotations

from typing import Any

from shipway import appfile
from shipway.appfile import words
from shipway.environments import policy
from shipway.environments.model import App
from shipway.kit import db, errors

_SQL = db.queries(__package__)


class Apps:
    """Records of apps. What belongs to an app elsewhere is removed by its own context first."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def create(self, name: str, created_by: str) -> App:
        """Make an app. Raises `errors.Invalid` for an unsafe name, `errors.Conflict` when there
        is one of that name."""
        if not words.NAME.fits(name):
            raise errors.Invalid(
                f"{name[:100]!r} cannot be an app's name.",
                problems=(f"expected {words.NAME.expected}.",),
            )
        row = await self._db.row(_SQL["create_app"], name=name, created_by=created_by)
        if row is None:
            raise errors.Conflict(f"There is an app {name} already.", fix="Choose another name.")
        return _app(row)

    async def get(self, name: str) -> App:
        """Return an app. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["app"], name=name)
        if row is None:
            raise _unknown(name)
        return _app(row)

    async def all(self) -> list[App]:
        """Return the apps, by name."""
        return [_app(row) for row in await self._db.rows(_SQL["apps"])]

    async def remove(self, name: str) -> None:
        """Remove an app with its variables and secrets. May be repeated."""
        await self._db.run(_SQL["remove_app"], name=name)

    async def accept(self, app: str, commit: str, product_text: str) -> appfile.Product:
        """Put a `shipway.toml` in force and return what it says. May be repeated.

        Raises `errors.Invalid` when it is malformed, names another app, or makes production
        weaker than the default without a reason.
        """
        product = appfile.parse(product_text)
        if product.name != app:
            raise errors.Invalid(
                f"This shipway.toml is of {product.name}, not of {app}.",
                fix=f'Write name = "{app}", or push to {product.name}.',
            )
        policy.for_product(product, "production")
        if not await self._db.run(_SQL["accept"], name=app, commit=commit, product=product_text):
            raise _unknown(app)
        return product

    async def product(self, app: str) -> appfile.Product | None:
        """Return what the `shipway.toml` in force says, or None before the first one."""
        row = await self._db.row(_SQL["product"], name=app)
        if row is None:
            raise _unknown(app)
        return None if row["product"] is None else appfile.parse(row["product"])

    async def products(self) -> dict[str, appfile.Product | None]:
        """Return the same of every app, by name."""
        return {
            row["name"]: None if row["product"] is None else appfile.parse(row["product"])
            for row in await self._db.rows(_SQL["products"])
        }


def _unknown(name: str) -> errors.NotFound:
    return errors.NotFound(f"There is no app {name[:100]!r}.", fix="See `shipway app list`.")


def _app(row: dict[str, Any]) -> App:
    return App(**{**row, "commit": row["commit"] or ""})
