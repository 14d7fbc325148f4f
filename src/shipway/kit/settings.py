"""Where this Shipway lives and listens: `settings.toml` in SHIPWAY_HOME, then the environment."""

from __future__ import annotations

import os
import pathlib
import urllib.parse
from typing import Any

import pydantic
import pydantic_settings

from shipway.kit import errors

_Source = pydantic_settings.PydanticBaseSettingsSource


class Settings(pydantic_settings.BaseSettings):
    """One machine's Shipway. Every setting is documented in ``docs/reference/settings.md``."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix="SHIPWAY_", extra="forbid", frozen=True
    )

    home: pathlib.Path = pathlib.Path("/var/lib/shipway")
    """The one folder of state."""
    api_port: int = 7700
    """The API and the git remote listen here, on loopback."""
    intake_port: int = 7701
    """Web exports are served here, on loopback."""
    http_port: int = 80
    """The edge sends who comes here on to https."""
    https_port: int = 443
    """The edge serves every app here."""
    edge_address: str = "0.0.0.0"  # noqa: S104 -- the edge is what the world talks to
    """The address that the edge listens on."""
    instance_ports: tuple[int, int] = (20000, 29999)
    """Ports of instances: first and last."""
    database_ports: tuple[int, int] = (19000, 19999)
    """Ports of databases that are reached by one: first and last."""
    platform_host: str = "shipway.localhost"
    """The host under which the edge serves Shipway's own API and git remote."""
    blob_url: str = ""
    """Where artifacts are kept besides the local folder: s3://…, gs://…, az://…"""
    registry_files: tuple[pathlib.Path, ...] = ()
    """Package managers' configuration files that install steps may read."""
    smtp_url: str = ""
    """smtp://user:password@host:587 for e-mail notifications."""
    mail_from: str = "shipway@localhost"
    """The sender of e-mail notifications."""
    status_pages: tuple[str, ...] = ()
    """Apps whose status everybody may see, at /console/status/<app>."""
    oidc_issuer: str = ""
    """The OpenID provider by which people may sign in to the console, as it calls itself. It sends
    them back to /console/openid/back."""
    oidc_client_id: str = ""
    """What the OpenID provider calls this Shipway."""
    oidc_client_secret: str = ""
    """What shows the OpenID provider that it is this Shipway."""
    oidc_claim: str = "email"
    """Which claim tells the account: `email`, verified, is one of the person's addresses; any other,
    such as `preferred_username`, is the account's name."""
    oidc_name: str = "OpenID"
    """What the sign-in page calls the OpenID provider."""
    warm_seconds: int = 3600
    """How long the release before stays running, for a rollback in an instant."""
    disk_reserve_gib: float = 2.0
    """The disk keeps so many GiB free: builds wait while less is left, and the step of a build that
    takes more than half of it is ended."""
    step_disk_gib: float = 10.0
    """So many GiB may one step of a build write."""

    keep_releases: int = 20
    """So many newest releases of each app keep their artifacts. Those that are live, warm, approved
    and waiting, or behind the live one for a rollback, keep them in any case."""
    keep_artifact_days: int = 30
    """Artifacts that no kept release has stay so long."""
    keep_log_days: int = 90
    """Logs of runs stay so long, those of kept releases longer."""
    keep_log_gib: float = 2.0
    """All logs of runs together; beyond it the oldest go."""
    keep_cache_days: int = 30
    """Caches that nobody writes to, results that nobody asks for, and installs that no run uses
    stay so long."""
    keep_cache_gib: float = 10.0
    """The caches of one app together; beyond it the one goes that was left alone longest."""

    backup_folder: pathlib.Path | None = None
    """Where the first copies of databases' backups are, best on a disk of its own; `backups` in the
    folder of state unless given."""

    update_signer: tuple[str, ...] = ()
    """A command that signs updates with keys kept elsewhere: it is given the key's id, reads the
    bytes and writes the signature in base64."""

    @pydantic.model_validator(mode="after")
    def _openid_is_whole(self) -> Settings:
        url = urllib.parse.urlsplit(self.oidc_issuer)
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("oidc_issuer and oidc_client_id belong together")
        if self.oidc_issuer and url.scheme != "https" and url.hostname != "127.0.0.1":
            raise ValueError("oidc_issuer is an https:// address")
        return self

    @property
    def database_url(self) -> str:
        """Shipway's own PostgreSQL, by Unix socket."""
        return f"postgresql://shipway@/shipway?host={self.run}/store"

    @property
    def disk_reserve_bytes(self) -> int:
        return int(self.disk_reserve_gib * 1024**3)

    @property
    def step_disk_bytes(self) -> int:
        return int(self.step_disk_gib * 1024**3)

    @property
    def backups(self) -> pathlib.Path:
        """The folder of backups: one folder below it for each cluster."""
        return self.backup_folder or self.home / "backups"

    @property
    def run(self) -> pathlib.Path:
        """Sockets."""
        return self.home / "run"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[pydantic_settings.BaseSettings],
        init_settings: _Source,
        env_settings: _Source,
        dotenv_settings: _Source,  # noqa: ARG003 -- pydantic-settings calls it so
        file_secret_settings: _Source,  # noqa: ARG003 -- likewise
    ) -> tuple[_Source, ...]:
        home = pathlib.Path(os.environ.get("SHIPWAY_HOME", "/var/lib/shipway"))  # noqa: TID251 -- the door
        toml = pydantic_settings.TomlConfigSettingsSource(settings_cls, home / "settings.toml")
        return init_settings, env_settings, toml


def load(**given: Any) -> Settings:
    """Read the settings. Raises `errors.Invalid` naming every setting that is wrong."""
    try:
        return Settings(**given)
    except pydantic.ValidationError as error:
        problems = tuple(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise errors.Invalid(
            "The settings of this Shipway are wrong.", problems=problems
        ) from error
