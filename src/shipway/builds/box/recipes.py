"""One recipe for each kind of step."""

from __future__ import annotations

import glob
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from . import (
    client,
    inputs,
    node,
    node_server,
    pack,
    packages,
    postgres,
    program,
    python_needs,
    python_server,
)
from .program import StepFailed

BOX = pathlib.Path("/box")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The step, as the worker hands it over. Paths are relative to the repository."""

    kind: str
    folder: str
    argv: Sequence[str]
    env: Mapping[str, str]
    inputs: Sequence[str]
    services: Sequence[str]
    produces: Sequence[str]
    details: Mapping[str, str]
    brought: Sequence[str]
    """Folders of an earlier install that this one goes on from."""


@dataclass(kw_only=True)
class Outcome:
    """What came of it. ``artifacts`` maps names to files in ``out``."""

    artifacts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    trees: list[str] = field(default_factory=list)


def perform(spec: Spec, box: pathlib.Path = BOX) -> Outcome:
    """Follow the recipe of a step. Raises `StepFailed`."""
    inputs.lay_out(box / "commit", spec.inputs, box / "src")
    if not (box / "src" / spec.folder).is_dir():
        raise StepFailed(f"The commit has no folder {spec.folder}: correct it in shipway.toml.")
    return RECIPES[spec.kind](spec, box)


def install(spec: Spec, box: pathlib.Path) -> Outcome:
    src = box / "src"
    inputs.bring(spec.brought, box / "needs", src)
    program.run(spec.argv, src / spec.folder, spec.env)
    program.end_leftovers()
    return Outcome(trees=inputs.made(src, box / "commit"))


def test(spec: Spec, box: pathlib.Path) -> Outcome:
    output = spec.env.get("E2E_OUTPUT", "")
    if output:
        pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    try:
        _with_services(spec, box)
    except StepFailed as error:
        error.artifacts = _evidence(output, box)
        raise
    return Outcome(artifacts=_evidence(output, box))


def _with_services(spec: Spec, box: pathlib.Path) -> None:
    if "postgres" not in spec.services:
        _test(spec, box, spec.env, spared=0)
        return
    with postgres.running(box / "scratch", by_port="by_port" in spec.details) as cluster:
        forms = json.loads(spec.details["urls"])
        urls = {name: cluster.address(form) for name, form in forms.items()}
        _test(spec, box, {**spec.env, **urls}, spared=cluster.pid)


def _evidence(output: str, box: pathlib.Path) -> dict[str, str]:
    """Pack what the tests have left to be looked at. Without it they have passed or failed too."""
    folder, target = pathlib.Path(output), box / "out" / "evidence.tar"
    if not output or not any(folder.iterdir()):
        return {}
    try:
        pack.pack(folder, folder.iterdir(), target)
    except (StepFailed, OSError) as error:
        program.say(f"The evidence is not kept: {error}")
        return {}
    return {"evidence": target.name}


def _test(spec: Spec, box: pathlib.Path, env: Mapping[str, str], *, spared: int) -> None:
    """Run a suite. One that ends while its processes go on has not tested what they do."""
    program.run(spec.argv, box / "src" / spec.folder, env)
    if left := program.end_leftovers(spared):
        raise StepFailed(
            f"The command ended well but left {len(left)} running: {', '.join(left[:5])}. "
            "It must wait for what it starts."
        )


def wheels(spec: Spec, box: pathlib.Path) -> Outcome:
    folder = box / "src" / spec.folder
    choice = python_needs.Choice(
        requirements=spec.details["requirements"],
        extras=spec.details["extras"].split(),
        groups=spec.details["groups"].split(),
    )
    python_server.fetch(folder, choice, box / "scratch")
    made = (folder / python_server.WHEELS).relative_to(box / "src")
    return Outcome(trees=[made.as_posix()])


def python_server_(spec: Spec, box: pathlib.Path) -> Outcome:
    target = box / "out" / "server.pyz"
    folder = box / "src" / spec.folder
    begin = python_server.Begin(entry=spec.details["entry"], module=spec.details["module"])
    python_server.build(folder, begin, box / "scratch", target)
    return Outcome(artifacts={"server": target.name}, facts=python_server.facts())


def node_(spec: Spec, box: pathlib.Path) -> Outcome:
    target = box / "out" / "node.tar"
    version = node.fetch(spec.details["version"], box / "src", box / "scratch", target)
    return Outcome(artifacts={"node": target.name}, facts={"node": version}, trees=[node.TREE])


def node_server_(spec: Spec, box: pathlib.Path) -> Outcome:
    """Bundle with the app's own esbuild, else with the platform's."""
    src, details = box / "src", spec.details
    wanted = node_server.Wanted(
        root=src,
        folder=src / spec.folder,
        run=spec.argv,
        entry=details["entry"],
        main=details["main"],
        bundle=bool(details["bundle"]),
        external=details["external"].splitlines(),
        files=details["files"].splitlines(),
        without=details["without"].split(),
    )
    own = wanted.folder / "node_modules" / ".bin" / "esbuild"
    esbuild = own if own.exists() else box / "tools" / "bin" / "esbuild"
    target = box / "out" / "server.tar"
    node_server.build(wanted, esbuild, box / "scratch", target)
    version = program.output_of(("node", "--version"), wanted.folder).strip()
    return Outcome(artifacts={"server": target.name}, facts={"node": version})


def command_server(spec: Spec, box: pathlib.Path) -> Outcome:
    folder = box / "src" / spec.folder
    program.run(spec.argv, folder, spec.env)
    made = folder / spec.details["output"]
    if made.is_symlink() or not made.is_file():
        raise StepFailed(f"The command has not made the file {spec.details['output']}.")
    shutil.copyfile(made, box / "out" / "server")
    return Outcome(artifacts={"server": "server"})


def migrations(spec: Spec, box: pathlib.Path) -> Outcome:
    folder = box / "src" / spec.folder
    paths: list[pathlib.Path] = []
    committed = [path.name for path in (box / "commit" / spec.folder).iterdir()]
    for pattern in spec.details["files"].splitlines() or committed:
        found = glob.glob(str(folder / pattern), recursive=True)  # noqa: PTH207 -- follows links to folders
        if not found:
            raise StepFailed(f"database.files: nothing is called {pattern} in {spec.folder}.")
        paths.extend(map(pathlib.Path, found))
    root = folder
    if names := spec.details["packages"].splitlines():
        root = box / "src"  # where workspaces and their packages find each other
        paths.extend(packages.closure(root, folder, names).paths)
    pack.pack(root, paths, box / "out" / "migrations.tar")
    return Outcome(artifacts={"migrations": "migrations.tar"})


def fingerprints(spec: Spec, box: pathlib.Path) -> Outcome:
    outcome = Outcome()
    for platform in spec.details["platforms"].split():
        file = f"fingerprint.{platform}.json"
        folder = box / "src" / spec.folder
        hash_ = client.fingerprint(folder, platform, box / "out" / file)
        outcome.facts[f"fingerprint.{platform}"] = hash_
        outcome.artifacts[f"fingerprint.{platform}"] = file
    return outcome


def export(spec: Spec, box: pathlib.Path) -> Outcome:
    folder = box / "src" / spec.folder
    base = next((box / "base").rglob("*.hbc"), None)
    made = client.export(folder, spec.details["platform"], spec.env, box / "scratch", base)
    client.pack_export(made, box / "out" / "export.tar", box / "out" / "maps.tar")
    files = {name: "maps.tar" if name.endswith(".maps") else "export.tar" for name in spec.produces}
    version = client.hermes_version(made)
    return Outcome(artifacts=files, facts={"hermes": version} if version else {})


RECIPES: Mapping[str, Callable[[Spec, pathlib.Path], Outcome]] = {
    "node": node_,
    "install": install,
    "test": test,
    "wheels": wheels,
    "python server": python_server_,
    "node server": node_server_,
    "command server": command_server,
    "migrations": migrations,
    "fingerprints": fingerprints,
    "export": export,
}


def read_spec(text: str) -> Spec:
    """Read a step from JSON."""
    return Spec(**json.loads(text))
