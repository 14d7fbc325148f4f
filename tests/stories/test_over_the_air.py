"""What people do for updates, on a whole Shipway: its processes have users and folders of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pathlib
import random
import uuid

import pytest
from demo.stage import Failed, Stage

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

PATIENCE_SECONDS = 60


async def appears(path: pathlib.Path) -> None:
    """Wait for a file, of which nobody tells."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not path.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_the_bundle_of_a_native_build_goes_from_the_command_line_to_the_worker(
    tiny: Stage, tmp_path: pathlib.Path
) -> None:
    code, embedded = random.Random(9).randbytes(2_000_000), str(uuid.uuid4())
    bundle, manifest = tmp_path / "main.jsbundle", tmp_path / "app.manifest"
    bundle.write_bytes(code)
    manifest.write_text(json.dumps({"id": embedded, "commitTime": 1_790_000_000_000}))

    given = ("--runtime", "1", "--manifest", str(manifest), "--bundle", str(bundle))
    await tiny.shipway("client", "register-build", "ios", "1.0.0", *given)

    digest = hashlib.sha256(code).hexdigest()
    updates = tiny.shipway_home / "updates"
    await appears(updates / "files" / digest[:2] / digest)
    assert list((updates / "inbox").iterdir()) == []
    listed = json.loads(await tiny.shipway("client", "builds", "--json"))
    assert listed["items"][0]["embedded"] == embedded


async def test_a_key_is_made_and_its_certificate_handed_out(tiny: Stage) -> None:
    await tiny.shipway("update", "keys", "create")
    await tiny.shipway("update", "keys", "rotate")
    newest = await tiny.shipway("update", "keys", "export-certificate")
    first = await tiny.shipway("update", "keys", "export-certificate", "main")
    assert newest.startswith("-----BEGIN CERTIFICATE-----")
    assert newest != first
    with pytest.raises(Failed, match="offers no update that could be taken back"):
        await tiny.shipway("update", "rollback", "production")
