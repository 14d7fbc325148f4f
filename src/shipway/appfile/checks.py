"""Rules that concern several places of a `shipway.toml` at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from shipway.appfile import forms, names, words
from shipway.appfile.model import Product, Test
from shipway.appfile.problems import Problem, shown, unknown_key
from shipway.appfile.reading import Path

_OF_NODE = ("bundle", "external", "files")


def of_document(document: Mapping[str, Any]) -> list[Problem]:
    """Check which keys of `server` go together; this needs no sound value."""
    server = document.get("server")
    return list(_server_keys(server)) if isinstance(server, dict) else []


def _server_keys(server: Mapping[str, Any]) -> Iterator[Problem]:
    kind = server.get("kind")
    python = ("requirements", "extras", "groups")
    wanted, useless = {
        # Started by a command of its own, it needs no function.
        "python": (() if "start" in server else ("entry",), ("run", "output", *_OF_NODE)),
        "node": (
            ("entry",),
            ("output", *python, *(("external",) if server.get("bundle") is False else ())),
        ),
        "command": (("run", "output", "start"), ("entry", *python, *_OF_NODE)),
    }.get(kind if isinstance(kind, str) else "", ((), ()))
    for key in wanted:
        if key not in server:
            yield Problem(
                path=("server", key),
                found="nothing",
                expected=f'a value, since kind is "{kind}"',
                fix=f"Add {key}.",
            )
    for key in useless:
        if key in server:
            yield Problem(
                path=("server", key),
                found=shown(server[key]),
                expected=f"nothing, since {_since(server)}",
                fix=f"Remove {key}, or change {'bundle' if key == 'external' and kind == 'node' else 'kind'}.",
            )


def _since(server: Mapping[str, Any]) -> str:
    whole = " and bundle is false" if server.get("bundle") is False else ""
    return f'kind is "{server.get("kind")}"{whole}'


def of_product(product: Product, broken: AbstractSet[str]) -> list[Problem]:
    """Check what sound sections say together. ``broken`` sections are not looked at."""
    return [
        problem
        for sections, check in _CHECKS
        if not broken & sections
        for problem in check(product)
    ]


def _something(product: Product) -> Iterator[Problem]:
    if not (product.server or product.client):
        yield Problem(
            path=(),
            found="neither a server nor a client",
            expected="at least one of them",
            fix="Add [server] or [client].",
        )


def _entry(product: Product) -> Iterator[Problem]:
    server = product.server
    shapes = {"python": words.PYTHON_ENTRY, "node": words.SOURCE}
    shape = shapes.get(server.kind) if server and server.entry else None
    if server and shape and not shape.fits(server.entry):
        yield Problem(
            path=("server", "entry"),
            found=shown(server.entry),
            expected=shape.expected,
            fix=f'Write something like "{shape.example}".',
        )


def _start(product: Product) -> Iterator[Problem]:
    server = product.server
    if server is None or not server.start or any("{server}" in word for word in server.start):
        return
    if server.kind != "python":
        yield Problem(
            path=("server", "start"),
            found="no {server}",
            expected="the built file among the arguments",
            fix='Write {server} where its path belongs, as in ["{server}", "serve"].',
        )
    elif server.start[0] != "python":
        yield Problem(
            path=("server", "start"),
            found=shown(server.start[0]),
            expected='"python", which finds the packages of the server, or {server}',
            fix='Write something like ["python", "-m", "uvicorn", "shop.main:app", "--port", "{port}"].',
        )


def _port(product: Product) -> Iterator[Problem]:
    server = product.server
    objection = server and server.port != "PORT" and names.objection(server.port, "plain")
    if server and objection:
        yield Problem(
            path=("server", "port"), found=shown(server.port), expected=objection, fix="Use PORT."
        )
    if server and server.port in product.variables:
        yield Problem(
            path=("variables", server.port),
            found="a variable",
            expected="none: it is the port, which Shipway chooses",
            fix="Remove it.",
        )


def _step_names(product: Product) -> Iterator[Problem]:
    yield from _unique([(("install", i, "name"), s.name) for i, s in enumerate(product.install)])


def _suite_names(product: Product) -> Iterator[Problem]:
    suites: Mapping[str, tuple[Test, ...]] = {
        "fast": product.tests.fast,
        "full": product.tests.full,
        "e2e": product.tests.e2e,
    }
    # All three lists together: a run shows the suites of all of them.
    yield from _unique(
        [
            (("tests", key, index, "name"), suite.name)
            for key, listed in suites.items()
            for index, suite in enumerate(listed)
        ]
    )


def _unique(named: list[tuple[Path, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            yield Problem(
                path=path,
                found=f"{shown(name)} a second time",
                expected="a name of its own",
                fix="Rename one of them.",
            )
        seen.add(name)


def _variable_names(product: Product) -> Iterator[Problem]:
    for name, variable in product.variables.items():
        if reason := names.objection(name, variable.kind):
            yield Problem(
                path=("variables", name), found=shown(name), expected=reason, fix="Rename it."
            )
        if variable.kind == "secret" and variable.default is not None:
            yield Problem(
                path=("variables", name, "default"),
                found="a value",
                expected="none: this file is in the repository, and a secret must not be",
                fix=f"Remove it and run `shipway env set <environment> {name}`.",
            )


def _forms(product: Product) -> Iterator[Problem]:
    for name, variable in product.variables.items():
        parts = forms.PARTS.get(variable.same_as or "")
        if variable.form and not parts:
            yield Problem(
                path=("variables", name, "form"),
                found=shown(variable.form),
                expected=f"none: only {' and '.join(forms.PARTS)} have other forms",
                fix='Remove it, or write same_as = "DB_URL".',
            )
        elif parts and (strange := forms.unknown(variable.form, variable.same_as or "")):
            yield Problem(
                path=("variables", name, "form"),
                found=f"{{{strange[0]}}}",
                expected=f"one of {', '.join(f'{{{part}}}' for part in parts)}",
                fix="Correct it.",
            )


def _same_values(product: Product) -> Iterator[Problem]:
    for name, variable in product.variables.items():
        if variable.same_as is None:
            if variable.suffix:
                yield Problem(
                    path=("variables", name, "suffix"),
                    found=shown(variable.suffix),
                    expected="nothing, since there is no same_as that it could follow",
                    fix="Add same_as or remove suffix.",
                )
            continue
        if variable.suffix and variable.same_as in names.GENERATED:
            yield Problem(
                path=("variables", name, "suffix"),
                found=shown(variable.suffix),
                expected=f"nothing, since {variable.same_as} is a secret",
                fix="Remove suffix.",
            )
        if variable.default is not None:
            yield Problem(
                path=("variables", name, "default"),
                found="a value",
                expected=f"none: it is the same as {variable.same_as}",
                fix="Remove default or same_as.",
            )
        if variable.same_as in names.GENERATED and variable.kind != "secret":
            yield Problem(
                path=("variables", name, "kind"),
                found=shown(variable.kind),
                expected=f'"secret", since {variable.same_as} is one',
                fix='Write kind = "secret".',
            )


def _given_values(product: Product) -> Iterator[Problem]:
    for environment, here in product.environments.items():
        for name in here.variables:
            path = ("environments", environment, "variables", name)
            declared = product.variables.get(name)
            if declared is None:
                yield unknown_key(path, product.variables)
            elif declared.kind == "secret":
                yield Problem(
                    path=path,
                    found="a value",
                    expected="none: this file is in the repository, and a secret must not be",
                    fix=f"Remove it and run `shipway env set {environment} {name}`.",
                )


def _hosts(product: Product) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for environment, here in product.environments.items():
        base: Path = ("environments", environment)
        placed = [((*base, "domain"), here.domain), ((*base, "api_domain"), here.api_domain)]
        placed += [((*base, "routes", i, "host"), r.host) for i, r in enumerate(here.routes)]
        for path, host in placed:
            if host in owners:
                yield Problem(
                    path=path,
                    found=f"{shown(host)}, which {owners[host]} has",
                    expected="a host of its own",
                    fix="Give each environment and each part its own host.",
                )
            owners.setdefault(host, environment)


def _targets(product: Product) -> Iterator[Problem]:
    parts = {"client": product.client, "server": product.server}
    for environment, here in product.environments.items():
        for index, route in enumerate(here.routes):
            if parts[route.to] is None:
                yield Problem(
                    path=("environments", environment, "routes", index, "to"),
                    found=shown(route.to),
                    expected="a part that this file has",
                    fix=f"Add [{route.to}], or remove the route.",
                )


def _rollouts(product: Product) -> Iterator[Problem]:
    for environment, here in product.environments.items():
        shares = here.policy.rollout
        if shares and (list(shares) != sorted(set(shares)) or shares[-1] != 100):
            yield Problem(
                path=("environments", environment, "policy", "rollout"),
                found=f"[{', '.join(map(str, shares))}]",
                expected="rising shares that end at 100",
                fix="Write something like [1, 10, 50, 100].",
            )


_CHECKS: tuple[tuple[frozenset[str], Callable[[Product], Iterator[Problem]]], ...] = (
    (frozenset({"server", "client"}), _something),
    (frozenset({"server"}), _entry),
    (frozenset({"server"}), _start),
    (frozenset({"server", "variables"}), _port),
    (frozenset({"install"}), _step_names),
    (frozenset({"tests"}), _suite_names),
    (frozenset({"variables"}), _variable_names),
    (frozenset({"variables"}), _same_values),
    (frozenset({"variables"}), _forms),
    (frozenset({"variables", "environments"}), _given_values),
    (frozenset({"environments"}), _hosts),
    (frozenset({"environments", "server", "client"}), _targets),
    (frozenset({"environments"}), _rollouts),
)
