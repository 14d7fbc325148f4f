"""Variables and secrets of each app and environment: set by people, opened by the worker alone."""

from __future__ import annotations

import asyncio
import hmac

import psycopg.errors

from shipway.appfile import names, words
from shipway.appfile.model import Product
from shipway.environments import model, policy, vault
from shipway.environments.apps import Apps
from shipway.environments.model import Difference, Provided, Shown, Stored
from shipway.kit import db, errors

_SQL = db.queries(__package__)


class Variables:
    """What is set, what `shipway.toml` gives, and what Shipway generates or provides.

    A value that a person set comes before the one in `shipway.toml`, that of the environment
    before the default, and Shipway's own facts come last. Names that Shipway reserves cannot
    be set.
    """

    def __init__(self, database: db.Database, of: vault.Vault) -> None:
        self._db = database
        self._vault = of
        self._apps = Apps(database)

    async def set(
        self,
        app: str,
        environment: str,
        name: str,
        value: str,
        kind: words.VariableKind | None,
        by: str,
    ) -> words.VariableKind:
        """Set a variable and return its kind; a secret is sealed before it is stored.

        Without a ``kind`` it is the declared one, and an undeclared variable is a secret.
        Raises `errors.Invalid`, which never repeats the value, and `errors.NotFound`.
        """
        policy.check_environment(environment)
        decided = model.kind_of(name, kind, await self._apps.product(app))
        model.check(name, value, decided)
        is_secret = decided == "secret"
        likeness = await asyncio.to_thread(self._vault.likeness, value, app) if is_secret else None
        try:
            await self._db.run(
                _SQL["set_variable"],
                app=app,
                environment=environment,
                name=name,
                kind=decided,
                value=None if is_secret else value,
                sealed=self._vault.seal(value) if is_secret else None,
                likeness=likeness,
                by=by,
            )
        except psycopg.errors.ForeignKeyViolation as error:
            raise errors.NotFound(f"The app {app} was removed meanwhile.") from error
        return decided

    async def unset(self, app: str, environment: str, name: str) -> None:
        """Remove what was set. Raises `errors.NotFound` when nothing was."""
        stored = await self._stored(app, environment)
        if name not in stored:
            raise errors.NotFound(
                f"{name[:100]} is not set in {environment}.", fix=model.hint(name, stored)
            )
        await self._db.run(_SQL["unset_variable"], app=app, environment=environment, name=name)

    async def show(self, app: str, environment: str) -> list[Shown]:
        """Return every variable with the source of its value; never the value of a secret."""
        product = await self._apps.product(app)
        return list(model.show(environment, product, await self._stored(app, environment)))

    async def diff(self, app: str, a: str, b: str) -> list[Difference]:
        """Compare two environments. Of secrets it tells whether they differ, and no more."""
        product = await self._apps.product(app)
        left, right = await self._stored(app, a), await self._stored(app, b)

        def is_same(name: str) -> bool:
            pair = (left[name].likeness, right[name].likeness)
            return all(pair) and hmac.compare_digest(pair[0] or b"", pair[1] or b"")

        shown = model.show(a, product, left), model.show(b, product, right)
        return list(model.differences((a, b), shown, is_same))

    async def missing(self, app: str, environment: str, product: Product) -> tuple[str, ...]:
        """Return the required variables without a value; a deployment waits for them."""
        return model.missing(environment, product, await self._stored(app, environment))

    async def provider_database(self, app: str, environment: str) -> bool:
        """Whether a `DB_URL` was given, which makes the database somebody else's to run."""
        return "DB_URL" in await self._stored(app, environment)

    async def given_database(self, app: str, environment: str) -> str:
        """Return the `DB_URL` that was given, or "" when the database is ours. Worker only."""
        given = (await self._stored(app, environment)).get("DB_URL")
        return self._value(given) if given else ""

    async def public(
        self, app: str, environment: str, product: Product, provided: Provided
    ) -> dict[str, str]:
        """Return what is built into the client: the EXPO_PUBLIC_… variables. Opens nothing."""
        stored = await self._stored(app, environment)
        facts = model.facts(environment, provided)
        given = {
            **{name: value for name, (_, value) in model.from_file(environment, product).items()},
            **{name: s.value for name, s in stored.items() if s.value is not None},
        }
        values = {**facts, **given}
        values |= product.same(values, filled=facts.keys() - given.keys())
        return {k: v for k, v in sorted(values.items()) if k.startswith(names.PUBLIC)}

    async def server_environment(
        self, app: str, environment: str, product: Product, facts: Provided
    ) -> dict[str, str]:
        """Return the environment of an instance, with secrets opened; its port comes last, when
        it is known. Worker only.

        Raises `errors.Refused` naming every required variable that has no value.
        """
        stored = await self._stored(app, environment)
        if lacking := model.missing(environment, product, stored):
            raise errors.Refused(
                *(f"{environment} of {app} needs {name}" for name in lacking),
                fix=f"Run `shipway env set {environment} {lacking[0]}`.",
            )
        filled = model.facts(environment, facts)
        given = {
            **{name: value for name, (_, value) in model.from_file(environment, product).items()},
            **{name: self._value(variable) for name, variable in stored.items()},
        }
        values = {**filled, **given, **model.fixed(environment, facts)}
        if "JWT_SECRET" not in values:
            values["JWT_SECRET"] = await self.internal(app, environment, "JWT_SECRET")
        return values | product.same(values, filled=filled.keys() - given.keys())

    async def internal(self, app: str, environment: str, name: str) -> str:
        """Return a secret that Shipway makes once and keeps, such as a database password.

        Two callers at once get the same. Worker only.
        """
        policy.check_environment(environment)
        found = await self._generated(app, environment)
        if name not in found:
            await self._generate(app, environment, name)
            found = await self._generated(app, environment)
        if name not in found:
            raise errors.NotFound(f"The app {app} was removed meanwhile.")
        return self._vault.open(found[name])

    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        """Return every secret there is, set or generated: no log may show them. Worker only."""
        stored = await self._stored(app, environment)
        sealed = [s.sealed for s in stored.values() if s.sealed is not None]
        sealed += (await self._generated(app, environment)).values()
        return tuple(self._vault.open(secret) for secret in sealed)

    async def _stored(self, app: str, environment: str) -> dict[str, Stored]:
        policy.check_environment(environment)
        rows = await self._db.rows(_SQL["variables"], app=app, environment=environment)
        return {row["name"]: Stored(**row) for row in rows}

    async def _generated(self, app: str, environment: str) -> dict[str, bytes]:
        rows = await self._db.rows(_SQL["generated"], app=app, environment=environment)
        return {row["name"]: row["sealed"] for row in rows}

    async def _generate(self, app: str, environment: str, name: str) -> None:
        sealed = self._vault.seal(vault.fresh())
        try:
            await self._db.run(
                _SQL["keep_generated"], app=app, environment=environment, name=name, sealed=sealed
            )
        except psycopg.errors.ForeignKeyViolation as error:
            raise errors.NotFound(f"There is no app {app!r}.") from error

    def _value(self, variable: Stored) -> str:
        if variable.sealed is not None:
            return self._vault.open(variable.sealed)
        return variable.value or ""
