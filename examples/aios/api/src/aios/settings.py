"""The settings of the server, read once from the environment.

A deployed server must not start with a guessable secret or without its database. All faults are found
in one pass, so that a person corrects them in one pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOCAL_ENVIRONMENTS = frozenset({"development", "test"})
MIN_SECRET_LENGTH = 32
HIGHEST_PORT = 65_535

LOCAL_DEFAULTS = {
    "EXPO_PUBLIC_DOMAIN": "localhost:5000",
    "API_URL": "http://localhost:5000",
    "DB_URL": "postgresql://localhost:5432/aios_dev",
    "JWT_SECRET": "dev-secret-key-that-is-only-for-your-own-machine",
}


class SettingsError(Exception):
    """The environment does not describe a server that may start."""

    def __init__(self, faults: list[str]) -> None:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"AIOS cannot start. Correct these environment variables:\n{lines}")
        self.faults = faults


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server needs to know about where it runs."""

    environment: str
    domain: str
    api_url: str
    db_url: str
    jwt_secret: str
    release: str
    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether this is a person's own machine rather than a deployment."""
        return self.environment in LOCAL_ENVIRONMENTS


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings, or raise `SettingsError` with every fault found."""
    environment = environ.get("NODE_ENV") or "development"
    values = _with_local_defaults(environ, environment)
    faults = [*_missing(values), *_malformed_urls(values), *_weak_secret(values, environment)]
    port = _port(environ.get("PORT") or "5000")
    if port is None:
        faults.append(f"PORT is {environ['PORT']!r}; expected a number from 0 to {HIGHEST_PORT}.")
    if faults or port is None:
        raise SettingsError(faults)
    return Settings(
        environment=environment,
        domain=values["EXPO_PUBLIC_DOMAIN"],
        api_url=values["API_URL"],
        db_url=values["DB_URL"],
        jwt_secret=values["JWT_SECRET"],
        release=environ.get("SHIPWAY_RELEASE") or "unreleased",
        host=environ.get("HOST") or "127.0.0.1",
        port=port,
    )


def load_db_url(environ: Mapping[str, str]) -> str:
    """Read `DB_URL` alone, for migrations: they need no secret of the server."""
    value = environ.get("DB_URL", "")
    if not value:
        raise SettingsError(["DB_URL is missing."])
    return value


def _with_local_defaults(environ: Mapping[str, str], environment: str) -> dict[str, str]:
    defaults = LOCAL_DEFAULTS if environment in LOCAL_ENVIRONMENTS else {}
    return {name: environ.get(name) or defaults.get(name, "") for name in LOCAL_DEFAULTS}


def _missing(values: Mapping[str, str]) -> list[str]:
    return [f"{name} is missing." for name, value in values.items() if not value]


def _malformed_urls(values: Mapping[str, str]) -> list[str]:
    """Check the schemes only: what a URL leads to is found out by using it."""
    faults = []
    if values["API_URL"] and urlsplit(values["API_URL"]).scheme not in {"http", "https"}:
        faults.append("API_URL must begin with http:// or https://.")
    # The value may hold a password, so the message never repeats it.
    if values["DB_URL"] and not values["DB_URL"].startswith(("postgresql://", "postgres://")):
        faults.append("DB_URL must begin with postgresql://.")
    return faults


def _weak_secret(values: Mapping[str, str], environment: str) -> list[str]:
    secret = values["JWT_SECRET"]
    if environment in LOCAL_ENVIRONMENTS or not secret:
        return []
    if len(secret) >= MIN_SECRET_LENGTH and secret != LOCAL_DEFAULTS["JWT_SECRET"]:
        return []
    return [
        f"JWT_SECRET is too weak for {environment}; expected at least {MIN_SECRET_LENGTH} random characters."
    ]


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or int(text) > HIGHEST_PORT:
        return None
    return int(text)
