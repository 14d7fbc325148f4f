"""What a run has to do, decided from `shipway.toml` alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from shipway.appfile.model import Client, DatabaseTool, Install, Product, Server, Test
from shipway.builds.model import BuildStep, Plan, StepKind

DEVELOPMENT = "development"
INSTALL_SECONDS = 1800.0
BUILD_SECONDS = 900.0
EXPORT_SECONDS = 1800.0

NODE = "node"
"""The step that fetches Node, and its artifact."""

WHEELS_INPUTS = (
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    ".python-version",
    "requirements*",
    "constraints*.txt",
)
"""What decides the dependencies of a Python server."""

WORKSPACE_INPUTS = ("uv.lock", "**/pyproject.toml")
"""What a lock file above the server's folder is read with: it names every part by its project."""


def plan(
    product: Product,
    *,
    full: bool,
    publics: Mapping[str, Mapping[str, str]] | None = None,
    bases: Mapping[str, str] | None = None,
) -> Plan:
    """Lay out the steps of a run: dependencies, then tests and the server, then the exports.

    ``full`` adds the tests that are not fast; what is built is the same, so that a branch that was
    merged is not built again.

    ``publics`` maps environments to the public variables that their clients are built with;
    environments with the same values share one export. ``bases`` are the artifacts of the release
    before, which exports should differ little from: devices load the difference. Exports come after the tests because
    they cost the most: a commit that fails its tests should not wait for them.
    """
    installs = [_install(product, install) for install in product.install]
    # Installs of one folder come one after another, each upon what the one before has left.
    first = [list(_node(product))] if product.node_version else []
    depth = max((len(step.needs) for step in installs), default=len(first) - 1) + 1
    levels = range(len(first), depth)
    layers = first + [[step for step in installs if len(step.needs) == level] for level in levels]
    layers = layers or [[]]
    layers[0].extend(_wheels(product))
    layers.append([*_tests(product, full=full), *_server(product), *_fixed(product)])
    layers.append(list(_exports(product, publics or {}, bases or {})))
    return Plan(layers=tuple(tuple(layer) for layer in layers if layer))


def end_to_end(
    product: Product, *, env: Mapping[str, str], files: Mapping[str, str] | None = None
) -> tuple[BuildStep, ...]:
    """Return the steps that test a deployed release.

    ``env`` says where it is (``E2E_…``), ``files`` are put into ``/box/run``, such as the
    certificate authority. They see the host's network and are never answered from a cache.
    """
    return tuple(
        BuildStep(
            name=f"e2e {test.name}",
            kind=StepKind.TEST,
            folder=test.folder,
            argv=test.run,
            env=dict(env),
            inputs=_sees(product, test.folder),
            needs=_needs(product, test.folder),
            services=tuple(test.services),
            details={"urls": _urls(product)} if test.services else {},
            network=True,
            timeout=float(test.timeout_seconds),
            files=dict(files or {}),
            cacheable=False,
        )
        for test in product.tests.e2e
    )


def beneath(product: Product, steps: Iterable[BuildStep]) -> tuple[BuildStep, ...]:
    """Return the steps of a run upon which other steps stand, in the order in which they run."""
    wanted = {name for step in steps for name in step.needs}
    found: list[BuildStep] = []
    for step in reversed(plan(product, full=False).steps):
        if step.name in wanted:
            wanted.update(step.needs)
            found.insert(0, step)
    return tuple(found)


def _install(product: Product, install: Install) -> BuildStep:
    earlier = product.install[: product.install.index(install)]
    return BuildStep(
        name=f"install {install.name}",
        kind=StepKind.INSTALL,
        folder=install.folder,
        argv=install.run,
        inputs=_below(install.folder, install.inputs),
        needs=(
            *_own_node(product),
            *(f"install {other.name}" for other in earlier if other.folder == install.folder),
        ),
        network=True,
        timeout=INSTALL_SECONDS,
    )


def _node(product: Product) -> Iterator[BuildStep]:
    """The step that fetches Node itself, where the app has a version of its own."""
    yield BuildStep(
        name=NODE,
        kind=StepKind.NODE,
        network=True,
        timeout=INSTALL_SECONDS,
        produces=(NODE,),
        details={"version": product.node_version},
    )


def _own_node(product: Product) -> tuple[str, ...]:
    return (NODE,) if product.node_version else ()


def _tests(product: Product, *, full: bool) -> Iterator[BuildStep]:
    suites = [("test", product.tests.fast)]
    if full:
        suites.append(("full test", product.tests.full))
    for word, tests in suites:
        for test in tests:
            yield _test(product, f"{word} {test.name}", test)


def _test(product: Product, name: str, test: Test) -> BuildStep:
    return BuildStep(
        name=name,
        kind=StepKind.TEST,
        folder=test.folder,
        argv=test.run,
        inputs=_sees(product, test.folder),
        needs=_needs(product, test.folder),
        services=tuple(test.services),
        timeout=float(test.timeout_seconds),
        details={"urls": _urls(product), **_by_port(product)} if test.services else {},
    )


def _by_port(product: Product) -> dict[str, str]:
    """Whether the throwaway database of a suite without network has a port: none but the suite
    reaches it there."""
    return {"by_port": "yes"} if product.database and product.database.by_port else {}


def _urls(product: Product) -> str:
    """The variables that tell a suite where its database is, each with its form, as JSON."""
    forms = {name: one.form for name, one in product.variables.items() if one.same_as == "DB_URL"}
    return json.dumps({"DB_URL": "", **forms}, sort_keys=True)


def _wheels(product: Product) -> Iterator[BuildStep]:
    server = product.server
    if server and server.kind == "python":
        own = _below(server.folder, WHEELS_INPUTS)
        # Nothing but the file that was named, wherever in the folder it is.
        named = _below(server.folder, (server.requirements,)) if server.requirements else ()
        around = WORKSPACE_INPUTS if server.folder != "." else ()
        yield BuildStep(
            name="server dependencies",
            kind=StepKind.WHEELS,
            folder=server.folder,
            inputs=_unique([*own, *named, *around]),
            network=True,
            timeout=INSTALL_SECONDS,
            details={
                "requirements": server.requirements,
                "extras": " ".join(server.extras),
                "groups": " ".join(server.groups),
            },
        )


_SERVERS = {
    "python": StepKind.PYTHON_SERVER,
    "node": StepKind.NODE_SERVER,
    "command": StepKind.COMMAND_SERVER,
}


def _server(product: Product) -> Iterator[BuildStep]:
    server: Server | None = product.server
    if server is None:
        return
    python = server.kind == "python"
    yield BuildStep(
        name="server",
        kind=_SERVERS[server.kind],
        folder=server.folder,
        argv=server.run,
        inputs=_sees(product, server.folder),
        needs=("server dependencies",) if python else _needs(product, server.folder),
        timeout=BUILD_SECONDS,
        produces=("server",),
        details=_server_details(product, server),
    )


def _server_details(product: Product, server: Server) -> dict[str, str]:
    if server.kind != "node":
        python = {"module": _module(server)} if server.kind == "python" else {}
        return {"entry": server.entry, "output": server.output, **python}
    client = product.client.folder if product.client else server.folder
    return {
        "entry": server.entry,
        "main": server.main,
        "bundle": "yes" if server.bundle else "",
        "external": "\n".join(server.external),
        "files": "\n".join(server.files),
        "without": "" if client == server.folder else client,
    }


def _module(server: Server) -> str:
    """The module that ``python -m`` starts, if that is how the server is started."""
    given = server.start[:3]
    return given[2] if len(given) == 3 and given[:2] == ("python", "-m") else ""


def _fixed(product: Product) -> Iterator[BuildStep]:
    """The steps that do not depend on an environment: migrations and fingerprints."""
    if product.database:
        yield _migrations(product, product.database)
    native = [p for p in (product.client.platforms if product.client else ()) if p != "web"]
    if product.client and native:
        yield BuildStep(
            name="fingerprints",
            kind=StepKind.FINGERPRINTS,
            folder=product.client.folder,
            inputs=_sees(product, product.client.folder),
            needs=_needs(product, product.client.folder),
            timeout=BUILD_SECONDS,
            produces=tuple(f"fingerprint.{platform}" for platform in native),
            details={"platforms": " ".join(native)},
        )


def _migrations(product: Product, tool: DatabaseTool) -> BuildStep:
    return BuildStep(
        name="migrations",
        kind=StepKind.MIGRATIONS,
        folder=tool.folder,
        inputs=_sees(product, tool.folder),
        needs=_needs(product, tool.folder),
        timeout=BUILD_SECONDS,
        produces=("migrations",),
        details={"files": "\n".join(tool.files), "packages": "\n".join(tool.packages)},
    )


def _exports(
    product: Product, publics: Mapping[str, Mapping[str, str]], bases: Mapping[str, str]
) -> Iterator[BuildStep]:
    if product.client is None:
        return
    for environments, values in _distinct(publics):
        for platform in product.client.platforms:
            step = _export(product, product.client, platform, environments, values)
            base = bases.get(f"{platform}.{environments[0]}", "") if platform != "web" else ""
            yield replace(step, base=base)


def _export(
    product: Product,
    client: Client,
    platform: str,
    environments: tuple[str, ...],
    values: Mapping[str, str],
) -> BuildStep:
    names = [f"{platform}.{environment}" for environment in environments]
    maps = [f"{name}.maps" for name in names] if platform != "web" else []
    return BuildStep(
        name=f"export {platform} {'+'.join(environments)}",
        kind=StepKind.EXPORT,
        folder=client.folder,
        env=dict(values),
        inputs=_sees(product, client.folder),
        needs=_needs(product, client.folder),
        timeout=EXPORT_SECONDS,
        produces=(*names, *maps),
        details={"platform": platform},
    )


def _distinct(
    publics: Mapping[str, Mapping[str, str]],
) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """Group the environments by their values, in the order in which they were given.

    Nothing is exported for development: Expo's own server serves it.
    """
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for environment, values in publics.items():
        if environment == DEVELOPMENT:
            continue
        groups.setdefault(tuple(sorted(values.items())), []).append(environment)
    for pairs, environments in groups.items():
        yield tuple(environments), dict(pairs)


def _sees(product: Product, folder: str) -> tuple[str, ...]:
    """A folder, and what decides the dependencies that were installed above it."""
    above = (i for i in product.install if i.folder != folder and _within(folder, i.folder))
    return _unique([folder, *(path for i in above for path in _below(i.folder, i.inputs))])


def _needs(product: Product, folder: str) -> tuple[str, ...]:
    """The app's own Node, and the installs at, above or below a folder."""
    return (
        *_own_node(product),
        *(
            f"install {install.name}"
            for install in product.install
            if _within(folder, install.folder) or _within(install.folder, folder)
        ),
    )


def _within(inner: str, outer: str) -> bool:
    return outer in {".", inner} or inner.startswith(f"{outer}/")


def _below(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Paths of a folder as paths of the repository; the folder itself when there are none."""
    prefix = "" if folder == "." else f"{folder}/"
    return tuple(f"{prefix}{path}" for path in paths) or (folder,)


def _unique(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
