"""What a Python part of a repository says of itself: how it is started, asked, and installed."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipway.appfile import sections, survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

FRAMEWORKS = ("fastapi", "flask", "django", "starlette", "litestar", "aiohttp", "sanic")
LISTEN = "127.0.0.1:{port}"

MOST_FILES = 500
"""Source files that are looked into."""

_SERVING = ("server", "serve", "api", "web", "start")
"""Names that a script which starts a server has."""

_DRIVERS = ("psycopg", "psycopg2", "psycopg2-binary", "asyncpg")
_LEFT_OUT = frozenset({"tests", "test", "migrations", "alembic", "node_modules"})
_APP = re.compile(
    r"^(\w+)\s*(?::[^=\n]+)?=\s*(FastAPI|Starlette|Litestar|Sanic|Flask)\(", re.MULTILINE
)
_HEALTH = re.compile(r"""["'](/?(?:[\w-]+/)*[\w-]*(?:health|ping|ready)[\w-]*/?)["']""")

_ADDRESS = re.compile(
    r"PostgresDsn\.build|MultiHostUrl\.build|://[^\s\"']*@\{[^}\s]*(?:host|server)", re.IGNORECASE
)
_PREFIX = re.compile(r"""APIRouter\([^)]*?prefix\s*=\s*["'](/[\w/-]*)["']""")


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application that a server such as gunicorn runs: ``module:name``."""

    target: str
    asynchronous: bool


def server(part: Part) -> Section:
    """Return the section of a Python server."""
    entry = _script(part, *_SERVING, part.name)
    start, told = _start(part) if not entry else ((), "")
    entry = entry or ("" if start else _script(part, *part.scripts))
    path, where = _health(part)
    keys: dict[str, Value] = {"kind": "python", "folder": part.folder}
    keys |= {"start": start} if start else {"entry": entry or f"{_package(part)}.main:main"}
    keys |= {"requirements": _requirements(part)} if _requirements(part) else {}
    return Section(
        heading="[server]",
        keys={**keys, "health": path},
        told="The API server. "
        + (f"{told}\n" if told else "The entry is a function that starts it on PORT.\n")
        + ("" if entry or start else "CHECK: no [project.scripts] names that function.\n")
        + (f"CHECK: health was found in {where}; it is" if where else "CHECK: health is")
        + " the whole path that answers 200 when the server can work.",
    )


def installs(part: Part) -> Iterator[Section]:
    """Return the steps that fetch the dependencies of a part, or of the workspace that it is."""
    name = f"{sections.slug(part)}-python" if part.folder == "." else sections.slug(part)
    if part.has("uv.lock"):
        yield _uv(part, name)
    elif part.has("poetry.lock"):
        yield from _poetry(part, name[:24])
    else:
        yield from _pip(part, name[:24])


def venv(part: Part, home: Part) -> str:
    """Return the interpreter that has the packages of a part; ``home`` is where they are locked."""
    return os.path.relpath(f"{home.folder}/.venv/bin/python", part.folder)


def _script(part: Part, *names: str) -> str:
    """Return the function behind the first of these scripts that there is."""
    targets = (part.scripts.get(name, "") for name in names)
    return next((target for target in targets if words.PYTHON_ENTRY.fits(target)), "")


def _start(part: Part) -> tuple[tuple[str, ...], str]:
    """Return the command that starts the server with what it depends on, and what to say of it."""
    found = next(_applications(part), None)
    if found is None:
        return (), ""
    programs = _ASYNCHRONOUS if found.asynchronous else _SYNCHRONOUS
    program = part.depends_on(*programs)
    told = f"{program} runs {found.target}."
    if not program:
        program = next(iter(programs))
        told = f"CHECK: add {program} to what it depends on: nothing there runs {found.target}."
    return tuple(word.replace("{target}", found.target) for word in programs[program].split()), told


_ASYNCHRONOUS = {
    "uvicorn": "python -m uvicorn {target} --host 127.0.0.1 --port {port}",
    "hypercorn": f"python -m hypercorn {{target}} --bind {LISTEN}",
    "daphne": "python -m daphne -b 127.0.0.1 -p {port} {target}",
    # `fastapi[standard]` brings it.
    "fastapi": "python -m uvicorn {target} --host 127.0.0.1 --port {port}",
}
_SYNCHRONOUS = {
    "gunicorn": f"python -m gunicorn {{target}} --bind {LISTEN}",
    "waitress": f"python -m waitress --listen={LISTEN} {{target}}",
}


def _applications(part: Part) -> Iterator[Application]:
    """Yield what looks like an application, the most likely first."""
    if part.depends_on("django"):
        yield from _of_django(part)
        return
    for file, text in _sources(part):
        for match in _APP.finditer(text):
            target = f"{_module(part, file)}:{match[1]}"
            yield Application(target=target, asynchronous=match[2] != "Flask")


def _of_django(part: Part) -> Iterator[Application]:
    is_asynchronous = not part.depends_on("gunicorn", "waitress")
    for name in ("asgi", "wsgi") if is_asynchronous else ("wsgi", "asgi"):
        for file, _ in _sources(part):
            if file.name == f"{name}.py":
                target = f"{_module(part, file)}:application"
                yield Application(target=target, asynchronous=name == "asgi")


def _sources(part: Part) -> Iterator[tuple[pathlib.Path, str]]:
    """Yield the Python files of a part with what they say, those nearest to its root first."""
    found = []
    for here, below, files in itertools.islice(os.walk(part.path), survey.MOST_FOLDERS):
        below[:] = sorted(b for b in below if b not in _LEFT_OUT and not b.startswith("."))
        found += [pathlib.Path(here, file) for file in files if file.endswith(".py")]
    nearest = sorted(found, key=lambda file: (len(file.parts), str(file)))
    for file in nearest[:MOST_FILES]:
        yield file, survey.read_text(file)


def _module(part: Part, file: pathlib.Path) -> str:
    """Return the name that a file is imported by."""
    path = file.relative_to(part.path)
    below = path.parts[1:] if path.parts[0] == "src" else path.parts
    names = [*below[:-1], below[-1].removesuffix(".py")]
    return ".".join(names[:-1] if names[-1] == "__init__" and len(names) > 1 else names)


def _package(part: Part) -> str:
    found = [*part.path.glob("src/*/__init__.py"), *part.path.glob("*/__init__.py")]
    packages = (path.parent.name for path in sorted(found) if path.parent.name != "tests")
    return next((name for name in packages if name.isidentifier()), "app")


def _health(part: Part) -> tuple[str, str]:
    """Return the path that says how the server is, and the file that it was found in."""
    for file, text in _sources(part):
        router = _PREFIX.search(text)
        for match in _HEALTH.finditer(text):
            path = f"{router[1].rstrip('/') if router else ''}/{match[1].lstrip('/')}"
            if words.URL_PATH.fits(path):
                return path, str(file.relative_to(part.root))
    return "/health", ""


def builds_address(part: Part) -> bool:
    """Whether it puts the address of its database together, as a host and a port."""
    return any(_ADDRESS.search(text) for _, text in _sources(part))


def _requirements(part: Part) -> str:
    """Return the requirements file that the build would not find by itself."""
    if part.has("uv.lock", "poetry.lock", "requirements.txt", "pyproject.toml"):
        return ""
    return part.has(*survey.REQUIREMENTS)


def _uv(part: Part, name: str) -> Section:
    if "workspace" not in survey.table(survey.table(part.manifest, "tool"), "uv"):
        alone = ("uv", "sync", "--frozen", "--no-install-project")
        return sections.install(part, name, alone, ("pyproject.toml", "uv.lock"))
    run = ("uv", "sync", "--frozen", "--all-packages", "--no-install-workspace")
    told = "The lock file of a workspace: one environment for all of its projects."
    return sections.install(part, name, run, ("uv.lock", "**/pyproject.toml"), told)


def _poetry(part: Part, name: str) -> Iterator[Section]:
    told = (
        "Poetry says what its lock file pins, and uv gets it from where this server gets packages."
    )
    file = ".venv/requirements.txt"
    inputs = ("pyproject.toml", "poetry.lock")
    export = ("poetry", "export", "--all-groups", "--all-extras", "--output", file)
    yield sections.install(part, f"{name}-venv", ("uv", "venv", "--clear"), inputs, told)
    yield sections.install(part, f"{name}-lock", export, inputs)
    yield sections.install(part, name, ("uv", "pip", "install", "-r", file), inputs)


def _pip(part: Part, name: str) -> Iterator[Section]:
    source = part.has("requirements.txt", *survey.REQUIREMENTS, "pyproject.toml")
    text = survey.read_text(part.path / source)
    told = "CHECK: without a lock file each build may get other versions." * ("--hash" not in text)
    more = part.has(*survey.DEVELOPMENT)
    files = [word for file in (source, more) if file for word in ("-r", file)]
    inputs = tuple(dict.fromkeys(file.partition("/")[0] for file in (source, more) if file))
    yield sections.install(part, f"{name}-venv", ("uv", "venv", "--clear"), inputs, told)
    yield sections.install(part, name, ("uv", "pip", "install", *files), inputs)


def tests(part: Part, home: Part) -> Iterator[Section]:
    """Return the suite of a Python part, if it has the program that runs one."""
    if not part.depends_on("pytest"):
        if (part.path / "tests").is_dir():
            told = "CHECK: there is a folder tests, but pytest is not among the dependencies."
            yield Section(heading="", told=told)
        return
    python = (venv(part, home), "-m", "pytest")
    # What is not installed as a package is found where it lies.
    run = ("env", "PYTHONPATH=src", *python) if (part.path / "src").is_dir() else python
    keys: dict[str, Value] = {"services": ("postgres",)} if part.depends_on(*_DRIVERS) else {}
    yield sections.suite("fast", part, "pytest", run, keys)
