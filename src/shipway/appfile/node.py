"""How a server in Node is built and started, and how its dependencies are installed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipway.appfile import sections, sources, survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

FRAMEWORKS = ("express", "fastify", "koa", "hono", "@nestjs/core", "@hapi/hapi", "restify")
ENTRIES = tuple(
    f"{folder}{name}.{suffix}"
    for suffix in ("ts", "js", "mts", "mjs")
    for folder, name in (
        ("src/", "server"), ("src/", "index"), ("src/", "main"), ("src/", "app"),
        ("server/", "index"), ("server/", "server"), ("api/", "index"),
        ("", "server"), ("", "index"), ("", "app"), ("", "main"),
    )
)  # fmt: skip
"""Where the source of a server's start usually is, TypeScript first."""

NEON = "@neondatabase/serverless"
"""A driver that speaks to a proxy of its maker, and not to PostgreSQL."""

READ_AT_RUN_TIME = (
    "public",
    "static",
    "views",
    "templates",
    "assets",
    "locales",
    "emails",
    "app.json",
)
"""Files and folders that servers usually read."""

_SCRIPT_FILE = re.compile(r"(?:^|\s)(?:\./)?((?:[\w@.-]+/)*[\w@.-]+\.[cm]?[jt]s)(?=\s|$)")
_STARTS = ("server:prod", "start:prod", "start:server", "serve", "start")
_BUILDS = ("server:build", "build:server", "build")
_RUNS_SOURCES = ("tsx", "ts-node", "nodemon", "bun")
_FLAGS = re.compile(
    r"npm (?:ci|i|install)\b[^\n&|;\"]*?(--legacy-peer-deps|--force|--ignore-scripts)"
)
_TELLING = ("Dockerfile", "server/Dockerfile", "vercel.json", "railway.json", "render.yaml", "nixpacks.toml",
            "netlify.toml", ".github/workflows/*.yml", ".github/workflows/*.yaml")  # fmt: skip
"""Files that tell how others install this repository."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What its own build makes of a server: the file that Node starts, with which flags."""

    main: str
    flags: tuple[str, ...] = ()


def server(part: Part, parts: Sequence[Part]) -> Section:
    """Return the section of a server in Node.

    One that has a package.json of its own runs as its own build leaves it. One that shares it with
    the client, or has no build, or uses packages of the repository, is bundled: its packages are
    kept beside it, so that nothing depends on whether they can be bundled.
    """
    source, built = entry(part), _built(part)
    is_own = not part.depends_on("expo") and not _linked(part, parts)
    whole = built and is_own and (_build(part) or part.has(built.main))
    found = sources.of_server(part, source or (built.main if built else ""))
    keys: dict[str, Value] = {"kind": "node", "folder": part.folder}
    if whole and built:
        keys |= _as_built(part, built)
        told = "The API server, as its own build leaves it, with the packages that it needs."
    else:
        keys |= {"entry": source or "src/index.ts", "external": ("*",)}
        keys |= {"files": files} if (files := _read(part, source, found)) else {}
        told = "The API server, bundled from its entry, with its packages beside it."
        told += "" if source else "\nCHECK: no file was found that starts the server."
    return Section(
        heading="[server]", keys=keys | _answers(found), told="\n".join([told, *_doubts(found)])
    )


def _as_built(part: Part, built: Built) -> dict[str, Value]:
    keys: dict[str, Value] = {"bundle": False, "entry": built.main}
    if script := _build(part):
        keys["run"] = ("npm", "run", script)
    if built.flags:
        keys["start"] = ("node", *built.flags, "{server}")
    return keys


def _answers(found: sources.Sources) -> dict[str, Value]:
    port: dict[str, Value] = {} if found.port in {"", "PORT"} else {"port": found.port}
    return {**port, "health": found.health or "/health"}


def _doubts(found: sources.Sources) -> Iterator[str]:
    if not found.port:
        yield "CHECK: no source reads process.env.PORT, where Shipway says which port to listen on."
    if not found.health:
        yield "CHECK: no path was found that answers 200 when the server can work."
    elif found.health == "/":
        yield "CHECK: / answers, but a path that also asks the database would say more."
    else:
        yield "CHECK: health is the whole path, with that of the router it stands in."
    if found.mentions(NEON):
        yield f"CHECK: {NEON} reaches no other databases than Neon's. Give the address of yours"
        yield "by `shipway env set ENVIRONMENT DB_URL`, or have the server use pg."


def entry(part: Part) -> str:
    """Return the source file that the scripts name, else one at a usual place."""
    order = (*_BUILDS, "server:dev", "dev:server", "dev", *_STARTS)
    scripts = [part.scripts[name] for name in order if name in part.scripts]
    named = [match for script in scripts for match in _SCRIPT_FILE.findall(script)]
    main = part.manifest.get("main")
    candidates = [*named, *([main] if isinstance(main, str) else []), *ENTRIES]
    safe = (c.removeprefix("./") for c in candidates)
    return next((c for c in safe if words.FOLDER.fits(c) and part.has(c)), "")


def _built(part: Part) -> Built | None:
    """Return what a script starts with Node alone."""
    for name in _STARTS:
        if name in part.scripts and (found := _started(part.scripts[name])):
            return found
    main = part.manifest.get("main")
    if isinstance(main, str) and part.has(main) and main.endswith((".js", ".mjs", ".cjs")):
        return Built(main=main.removeprefix("./"))
    return None


def _started(script: str) -> Built | None:
    """Read the last command of a script: ``NODE_ENV=production node --flag dist/index.js``."""
    try:
        said = shlex.split(re.split(r"&&|;", script)[-1])
    except ValueError:
        return None
    while said and (re.fullmatch(r"\w+=.*", said[0]) or said[0] in {"cross-env", "dotenv", "--"}):
        said = said[1:]
    if len(said) < 2 or said[0] != "node":
        return None
    main = said[-1].removeprefix("./")
    main = main if re.search(r"\.[cm]?js$", main) else f"{main}.js"
    return Built(main=main, flags=tuple(said[1:-1])) if words.FOLDER.fits(main) else None


def _build(part: Part) -> str:
    """Return the script that builds the server, or nothing."""
    found = (name for name in _BUILDS if name in part.scripts)
    return next((name for name in found if "expo " not in part.scripts[name]), "")


def _linked(part: Part, parts: Sequence[Part]) -> bool:
    """Whether the server uses packages of the repository itself."""
    return any(
        other.name in part.dependencies for other in parts if other.name and other is not part
    )


def _read(part: Part, source: str, found: sources.Sources) -> tuple[str, ...]:
    """Return what a bundled server reads besides its code, as far as its sources tell."""
    places = dict.fromkeys(("", f"{source.rpartition('/')[0]}/" if "/" in source else ""))
    candidates = [f"{place}{name}" for place in places for name in READ_AT_RUN_TIME]
    return tuple(
        c for c in candidates if (part.path / c).exists() and found.mentions(c.split("/")[-1])
    )


def installs(part: Part) -> Iterator[Section]:
    """Return the step that fetches the dependencies of a folder with a lock file."""
    lock = part.has(*sections.NODE_LOCKS)
    run, told = _command(part, lock)
    extra = tuple(name for name in (".npmrc",) if part.has(name))
    inputs = ("package.json", lock, *extra) if lock and not _reads_more(part) else ()
    yield sections.install(part, sections.slug(part), run, inputs, told)


def generating(part: Part, home: Part) -> Iterator[Section]:
    """Return the step that makes Prisma's client. It may fetch engines, so it is an install, upon
    what that of ``home`` has left."""
    schema = part.has("prisma/schema.prisma", "schema.prisma")
    if not schema or not part.depends_on("prisma"):
        return
    run: tuple[str, ...] = ("npx", "prisma", "generate")
    inputs: tuple[str, ...] = ()
    if part is home:
        config = part.has("prisma.config.ts", "prisma.config.js", "prisma.config.mjs")
        inputs = ("package.json", schema.split("/")[0], *((config,) if config else ()))
    else:
        run = (*run, "--schema", f"{part.folder}/{schema}")
    yield sections.install(home, f"{sections.slug(part)[:24]}-prisma", run, inputs)


def _command(part: Part, lock: str) -> tuple[tuple[str, ...], str]:
    if not lock:
        told = "CHECK: without a lock file each build may get other versions."
        return ("npm", "install", *_flags(part)), told
    if lock.endswith(".json"):
        return ("npm", "ci", *_flags(part)), ""
    if lock == "pnpm-lock.yaml":
        return ("npx", "--yes", f"pnpm@{_pnpm(part)}", "install", "--frozen-lockfile"), ""
    if lock == "yarn.lock":
        return _yarn(part)
    return ("npx", "--yes", "bun", "install", "--frozen-lockfile"), ""


def _flags(part: Part) -> tuple[str, ...]:
    """Return the flags without which others do not install this repository either."""
    files = (path for pattern in _TELLING for path in sorted(part.path.glob(pattern)))
    told = [flag for path in files for flag in _FLAGS.findall(survey.read_text(path))]
    return tuple(dict.fromkeys(told))


def _named(part: Part, manager: str) -> str:
    """Return the version that package.json pins a package manager to, or nothing."""
    said = str(part.manifest.get("packageManager", ""))
    found = re.match(rf"{manager}@(\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def _pnpm(part: Part) -> str:
    format_ = re.search(
        r"lockfileVersion:\s*'?(\d+)", survey.read_text(part.path / "pnpm-lock.yaml")
    )
    fitting = {"5": "7", "6": "8", "9": "9"}
    return _named(part, "pnpm") or fitting.get(format_[1] if format_ else "", "9")


def _yarn(part: Part) -> tuple[tuple[str, ...], str]:
    settings = survey.read_text(part.path / ".yarnrc.yml")
    if not settings and "__metadata" not in survey.read_text(part.path / "yarn.lock"):
        return ("npx", "--yes", "yarn@1.22.22", "install", "--frozen-lockfile"), ""
    version = _named(part, "yarn") or "4"
    told = (
        ""
        if "node-modules" in settings
        else 'CHECK: .yarnrc.yml must say "nodeLinker: node-modules"; without node_modules '
        "nothing is found."
    )
    return ("npx", "--yes", f"@yarnpkg/cli-dist@{version}", "install", "--immutable"), told


def _reads_more(part: Part) -> bool:
    """Whether an install looks at more than the manifest and the lock file."""
    hooks = {"preinstall", "install", "postinstall", "prepare"} & part.scripts.keys()
    workspaces = "workspaces" in part.manifest or part.has("pnpm-workspace.yaml")
    return bool(hooks or workspaces or part.has(".yarnrc.yml"))


def version(parts: Sequence[Part]) -> tuple[str, str]:
    """Return the version of Node that the repository asks for, and where it does; or nothing.

    A whole version becomes that of its line: the newest of 22 has what 22.3 lacks.
    """
    for part in sorted(parts, key=lambda one: (one.kind != "node", one.folder != ".")):
        for name in (".nvmrc", ".node-version"):
            if found := re.match(r"v?(\d+)", survey.read_text(part.path / name).strip()):
                return found[1], name
        volta = survey.table(part.manifest, "volta").get("node")
        if found := re.match(r"(\d+)", str(volta or "")):
            return found[1], "volta in package.json"
        asked = str(survey.table(part.manifest, "engines").get("node", ""))
        if found := re.fullmatch(
            r"[~^v=]?\s*(\d+)(?:\.[\dx*]+)*|>=\s*(\d+)\S*\s+<\s*\d+\S*", asked.strip()
        ):
            return found[1] or found[2], "engines in package.json"
    return "", ""
