"""What a `shipway.toml` says. The sentences below the fields are the reference documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pydantic

from shipway.appfile import forms, words

_SHAPE = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, kw_only=True)
class Install:
    """A step that fetches dependencies. Only these steps reach the network."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    name: words.Name
    """How the step is called in the run; unique."""
    folder: words.Folder = "."
    """Where the command runs."""
    run: words.Command
    """The command, as a list of arguments."""
    inputs: Annotated[tuple[words.Glob, ...], pydantic.Field(max_length=50)] = ()
    """Files of the folder that the step sees, such as lock files: while they stay the same, it is
    a cache hit. Without any, it sees the whole folder."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """The API server. It becomes one file, the same bytes for staging and production."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    kind: words.ServerKind
    """`python` builds a `.pyz` from a pyproject.toml, `node` one bundled `.js` file or a folder with
    its packages, `command` runs your own command."""
    folder: words.Folder = "."
    """The folder of the server's sources."""
    entry: words.Text = ""
    """What starts the server: `package.module:function` for `python` without a `start`; for `node` a
    file relative to the folder, which is bundled, or without `bundle` the one that `run` has made."""
    run: Annotated[tuple[words.Word, ...], pydantic.Field(max_length=64)] = ()
    """The command that builds the server; with `node` it comes before all else. It has no
    network."""
    bundle: words.Flag = True
    """Whether esbuild makes one file of the entry and all that it imports. Otherwise the folder is
    kept as it is, with those packages of node_modules that package.json needs at run time
    (`node` only)."""
    external: Annotated[tuple[words.Package, ...], pydantic.Field(max_length=200)] = ()
    """Packages that are not bundled but kept beside the bundle, such as those with native parts
    (`node` only). `["*"]` keeps all of them, and bundles what is in the repository."""
    files: Annotated[tuple[words.Glob, ...], pydantic.Field(max_length=50)] = ()
    """What the server reads at run time besides its code, relative to the folder, in which it is
    started (`node` only). Without `bundle` and without any, all of the folder."""
    output: words.Folder = ""
    """The file that the command makes, relative to the folder (`command` only)."""
    start: Annotated[tuple[words.Word, ...], pydantic.Field(max_length=64)] = ()
    """How an instance is started; `{server}` is the built file, for `node` the entry, and `{port}`
    its port. Python and Node know it. A Python server may begin with `python`, which finds the
    server's packages: `["python", "-m", "gunicorn", "shop.wsgi", "--bind", "127.0.0.1:{port}"]`."""
    dev: Annotated[tuple[words.Word, ...], pydantic.Field(max_length=64)] = ()
    """How `shipway dev` starts the server from its sources, if the command is to reload it itself.
    Otherwise `python` calls the entry and `node` runs it, again after each change of a source."""
    port: words.VariableName = "PORT"
    """The variable that tells the server which port to listen on."""
    health: words.UrlPath = "/health"
    """The path that answers 200 when an instance can take traffic: after three such in a row it
    gets any."""
    ready_seconds: Annotated[words.Whole, pydantic.Field(ge=1, le=600)] = 60
    """How long an instance may take to become ready."""
    drain_seconds: Annotated[words.Whole, pydantic.Field(ge=0, le=300)] = 30
    """How long an instance may take to finish its requests after SIGTERM."""
    requirements: words.Folder = ""
    """The file that pins what a Python server needs, relative to the folder. Without it, the first
    of uv.lock, poetry.lock, requirements.txt and pyproject.toml says it."""
    extras: Annotated[tuple[words.PackageName, ...], pydantic.Field(max_length=20)] = ()
    """Extras of a Python project that its server needs besides (uv.lock and poetry.lock)."""
    groups: Annotated[tuple[words.PackageName, ...], pydantic.Field(max_length=20)] = ()
    """Dependency groups of a Python project that its server needs besides (uv.lock and
    poetry.lock)."""

    @property
    def main(self) -> str:
        """What Node starts, relative to the repository; nothing for other kinds."""
        if self.kind != "node":
            return ""
        file = re.sub(r"\.[cm]?[jt]sx?$", ".js", self.entry) if self.bundle else self.entry
        return file if self.folder == "." else f"{self.folder}/{file}"


@dataclass(frozen=True, kw_only=True)
class Client:
    """The Expo app."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    folder: words.Folder = "."
    """The folder with app.json or app.config."""
    platforms: Annotated[tuple[words.Platform, ...], pydantic.Field(min_length=1, max_length=3)] = (
        "ios",
        "android",
        "web",
    )
    """What is exported: any of `ios`, `android` and `web`."""


@dataclass(frozen=True, kw_only=True)
class DatabaseTool:
    """How the schema changes. The files travel with the release."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    folder: words.Folder = "."
    """Where the commands run."""
    files: Annotated[tuple[words.Glob, ...], pydantic.Field(max_length=50)] = ()
    """What the commands need besides the server, relative to the folder: migrations and the
    tool's configuration. Without any, the whole folder."""
    by_port: words.Flag = False
    """Whether the address in `DB_URL` is a port of this machine instead of a Unix socket: libraries
    that read addresses themselves, such as Knex, Sequelize and postgres.js, know no other. Once
    true, it stays so for a database that was made."""
    packages: Annotated[tuple[words.Package, ...], pydantic.Field(max_length=50)] = ()
    """Packages of node_modules that the commands need; they travel with what they need themselves,
    and their programs can be called by name."""
    migrate: words.Command
    """The command that brings the schema up to date; it finds the database in `DB_URL`, and
    `python` finds the packages of the server."""
    head: words.Command
    """The command that prints the last migration applied."""
    generate: Annotated[tuple[words.Word, ...], pydantic.Field(max_length=64)] = ()
    """The command that writes a migration from what the code says of the tables, for `shipway db
    generate`; `{name}` is what it is called. It finds a database that has all migrations in
    `DB_URL`."""
    rollback: Annotated[tuple[words.Word, ...], pydantic.Field(max_length=64)] = ()
    """The command that takes migrations back, for `shipway db rollback`; `{to}` is the last one that
    stays."""
    history: Annotated[tuple[words.Glob, ...], pydantic.Field(max_length=20)] = ()
    """The files of migrations, relative to the folder, none of which may be edited once it ran.
    Without any, it is those whose own name or folder begins with a number, and those in a folder
    called `versions`."""


@dataclass(frozen=True, kw_only=True)
class Test:
    """A suite. It has no network; what it needs is a service."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE
    __test__: ClassVar[bool] = False  # pytest takes it for a test otherwise

    name: words.Name
    """How the suite is called in the run; unique among those of its list."""
    folder: words.Folder = "."
    """Where the command runs."""
    run: words.Command
    """The command, as a list of arguments."""
    services: Annotated[tuple[words.Service, ...], pydantic.Field(max_length=1)] = ()
    """`postgres` gives a throwaway cluster, its address in `DB_URL`: a socket, or with `by_port` a
    port."""
    timeout_seconds: Annotated[words.Whole, pydantic.Field(ge=1, le=7200)] = 600
    """How long the suite may take."""


_Suites = Annotated[tuple[Test, ...], pydantic.Field(max_length=30)]


@dataclass(frozen=True, kw_only=True)
class Tests:
    """What proves a commit: `fast` on every branch, `fast` and `full` on main, `e2e` on staging."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE
    __test__: ClassVar[bool] = False

    fast: _Suites = ()
    """Run for every push."""
    full: _Suites = ()
    """Run for a push to main, besides the fast ones."""
    e2e: _Suites = ()
    """Run against staging; `E2E_BASE_URL` and `E2E_API_URL` say where it is,
    `E2E_RESOLVE` (host:port=address, …) to what the names resolve, `E2E_CA_FILE` who signed the
    certificates, `E2E_OUTPUT` where evidence goes."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of the app, the same name in every environment."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    kind: words.VariableKind = "plain"
    """`secret` is sealed and only set by `shipway env set`; `plain` reaches the server;
    `public` (named EXPO_PUBLIC_…) is also built into the client."""
    required: words.Flag = False
    """A deployment waits until it has a value."""
    default: words.Text | None = None
    """The value where no other is given; not for secrets."""
    same_as: words.Filled | None = None
    """A variable that Shipway fills, whose value this one has where no other is given: many
    libraries read `DB_URL` as `DATABASE_URL`. A name that Shipway fills itself is filled so instead."""
    suffix: words.Text = ""
    """What follows the value of the other one, such as `/api/v1` that of `API_URL`."""
    form: words.Text = ""
    """How the same address is written where a library wants another form of `DB_URL`, or one part
    of it: `postgresql+asyncpg://{user}:{password}@/{database}?host={host}`, or `{user}`. The parts
    are `{user}`, `{password}`, `{host}` (a folder, where it is a Unix socket), `{port}` and
    `{database}`. `API_URL` has one part, `{address}`: the host, and the port unless it is the usual
    one."""
    description: words.Text = ""
    """What it is for, shown by `shipway env show`."""


@dataclass(frozen=True, kw_only=True)
class HostRoute:
    """A host and the part of the app that answers there."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    host: words.Host
    """The host name."""
    to: words.HostTarget
    """`client` (the web export) or `server`."""


@dataclass(frozen=True, kw_only=True)
class PolicyOverrides:
    """Where this app departs from the default policy of an environment."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    instances: Annotated[words.Whole, pydantic.Field(ge=1, le=64)] | None = None
    """How many instances of the server run."""
    tls: words.Flag | None = None
    """Whether the hosts are served by HTTPS, with plain HTTP redirected."""
    minimum_tls: Literal["1.2", "1.3"] | None = None
    """The oldest TLS version that is spoken."""
    hsts: words.Flag | None = None
    """Whether browsers are told to come by HTTPS only."""
    approvals: Annotated[words.Whole, pydantic.Field(ge=0, le=10)] | None = None
    """How many people approve a release before it enters."""
    approve_own: words.Flag | None = None
    """Whether the author of a change may approve it although somebody else could."""
    rollout: (
        Annotated[
            tuple[Annotated[words.Whole, pydantic.Field(ge=1, le=100)], ...],
            pydantic.Field(min_length=1, max_length=20),
        ]
        | None
    ) = None
    """The shares of the traffic, in per cent, by which a release enters: rising, ending at 100."""
    backups: Literal["none", "daily", "continuous"] | None = None
    """How the database is backed up: `continuous` hourly, and at most a minute behind."""
    rehearse: words.Flag | None = None
    """Whether a migration runs on a copy of the database before it runs there."""
    migration_lock_ms: Annotated[words.Whole, pydantic.Field(ge=1, le=3_600_000)] | None = None
    """For how many milliseconds a migration may keep anybody waiting."""
    reason: words.Text = ""
    """Why; required where production becomes weaker than the default, and shown there."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentFile:
    """One environment of the app."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    domain: words.Host
    """Where the web export and the updates are."""
    api_domain: words.Host = ""
    """Where the server is; `api.` and the domain unless given."""
    routes: Annotated[tuple[HostRoute, ...], pydantic.Field(max_length=20)] = ()
    """Further hosts."""
    variables: Annotated[
        Mapping[words.VariableName, words.Text], pydantic.Field(max_length=200)
    ] = field(default_factory=dict)
    """Values of plain and public variables here."""
    policy: PolicyOverrides = PolicyOverrides()
    """Departures from the default policy."""

    def __post_init__(self) -> None:
        if not self.api_domain:
            object.__setattr__(self, "api_domain", f"api.{self.domain}")


@dataclass(frozen=True, kw_only=True)
class Product:
    """A mobile app, its API server and its database: everything that Shipway must know of them."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = _SHAPE

    name: words.Name
    """The app's name in Shipway."""
    node_version: words.NodeVersion = ""
    """The version of Node for every step and for the server, such as `22` for the newest 22; it
    travels with the release. Empty takes what the machine has."""
    install: Annotated[tuple[Install, ...], pydantic.Field(max_length=20)] = ()
    """Steps that fetch dependencies, in order where they share a folder."""
    server: Server | None = None
    """The API server."""
    client: Client | None = None
    """The Expo app."""
    database: DatabaseTool | None = None
    """Migrations; with them, each environment has a PostgreSQL of its own."""
    tests: Tests = Tests()
    """The suites."""
    variables: Annotated[Mapping[words.VariableName, Variable], pydantic.Field(max_length=200)] = (
        field(default_factory=dict)
    )
    """The app's variables."""
    environments: Mapping[words.EnvironmentName, EnvironmentFile] = field(default_factory=dict)
    """`development`, `staging` and `production`."""

    def called(self, filled: str) -> tuple[str, ...]:
        """Return every name of a variable that Shipway fills, its own first."""
        return (filled, *(name for name, one in self.variables.items() if one.same_as == filled))

    def same(
        self, values: Mapping[str, str], *, filled: AbstractSet[str] = frozenset()
    ) -> dict[str, str]:
        """Return those variables that have no value of their own, but that of another one.

        What nobody but Shipway gave a value is named in ``filled``: that is no value of their own.
        """
        return {
            name: forms.written(one.form, values[one.same_as]) + one.suffix
            for name, one in self.variables.items()
            if one.same_as and one.same_as in values and (name not in values or name in filled)
        }

    def routes(self, environment: str) -> tuple[HostRoute, ...]:
        """Return every host of an environment with the part that answers there."""
        here = self.environments.get(environment)
        if here is None:
            return ()
        own = (
            *((HostRoute(host=here.domain, to="client"),) if self.client else ()),
            *((HostRoute(host=here.api_domain, to="server"),) if self.server else ()),
        )
        return (*own, *here.routes)
