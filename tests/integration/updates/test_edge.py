"""Phones come through the edge: what they send must arrive, whatever it is, over both HTTPs."""

from __future__ import annotations

import json
import pathlib
import shutil
import uuid

import pytest
from tests.fakes import updates
from tests.integration.edge import running
from tests.integration.edge.running import table

from shipway.edge.model import Pool, Route, Share
from shipway.kit import command, db

pytestmark = pytest.mark.anyio

HOST = "aios.localhost"
ERRORS = {
    "in UTF-8": "Größe 💥 undefined is not a function",
    "of 8 KB": "TypeError: undefined is not a function " * 210,
    "of iOS's length in UTF-8": "💥" * 1025,
    "with a tab": "Error:\tat start",
}


async def asked(envoy: running.RunningEnvoy, http: str, **headers: str) -> tuple[int, bytes]:
    """Ask for a manifest by curl, as bytes that no library has looked at; return the status."""
    known = {
        "expo-platform": "ios",
        "expo-protocol-version": "1",
        "expo-runtime-version": updates.RUNTIMES["ios"],
        "eas-client-id": str(uuid.uuid4()),
        # What only the edge may say.
        "x-shipway-updates": "other/production",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    port = envoy.settings.https_port
    lines = [part for name, value in known.items() for part in ("-H", f"{name}: {value}")]
    outcome = await command.run(
        command.Command(
            argv=(
                "curl", "--silent", "--show-error", f"--http{http}", "--cacert",
                str(envoy.authority.bundle), "--resolve", f"{HOST}:{port}:127.0.0.1",
                "--write-out", "\n%{http_code} %{http_version}", *lines,
                f"https://{HOST}:{port}/_updates/manifest",
            ),
            timeout=30,
        )
    )  # fmt: skip
    body, _, last = outcome.output.strip().rpartition("\n")
    status, version = last.split()
    assert version == http
    return int(status), body.encode()


async def test_what_phones_send_arrives_over_both_versions_of_http(
    database: db.Database, home: pathlib.Path
) -> None:
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    async with updates.served(database, home) as shipway, running.started(home) as envoy:
        group = await shipway.publish()
        pool = Pool(name="intake", endpoints=(f"127.0.0.1:{shipway.port}",))
        share = Share(pool="intake", per_mille=1000, headers=shipway.edge())
        await envoy.edge.apply(table((pool,), Route(host=HOST, shares=(share,))))
        for http in ("1.1", "2"):
            for error in ERRORS.values():
                status, body = await asked(envoy, http, expo_fatal_error=error)
                assert (status, group.id.encode() in body) == (200, True), (http, error[:40])
        await shipway.sightings.flush()
        seen = [
            json.loads(line)
            for path in (home / "owners" / "intake" / "updates" / "sightings").glob("*.ndjson")
            for line in path.read_text().splitlines()
        ]
        assert [one[2] for one in seen] == [updates.APP] * 2 * len(ERRORS)
        assert len([one for one in seen if "💥" in one[10]]) == 4
