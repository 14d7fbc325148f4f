"""The smallest Expo client on each SDK, exported for real: tests/apps/expo.

`./dev test` exports SDK 54 for Android, as the story of AIOS exports SDK 57 for all platforms;
`./dev soak` sets ``SHIPWAY_STRANGERS`` and exports every SDK for every platform.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests.integration.builds.conftest import Site

from shipway import appfile
from shipway.builds import planning
from shipway.builds.model import BuildStep, StepResult
from shipway.kit.mask import Mask
from shipway.updates import exports

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

POCKET = pathlib.Path(__file__).parents[2] / "apps" / "expo"
BYTECODE = {"54": "96", "55": "96", "56": "98", "57": "98"}
"""The version of Hermes bytecode that an SDK's runtime loads."""

ALL = bool(os.environ.get("SHIPWAY_STRANGERS"))
DOMAIN = "staging.pocket.localhost"
NATIVE = ("ios", "android")
EXPORTED = (*NATIVE, "web") if ALL else ("android",)


@dataclass(frozen=True)
class Pocket:
    """The client on one SDK: an app of its own, with the steps that `init` leads to."""

    site: Site
    app: str
    commit: str
    steps: tuple[BuildStep, ...]

    @classmethod
    async def on(cls, site: Site, sdk: str, folder: pathlib.Path) -> Pocket:
        """Commit it to a repository of its own."""
        shutil.copytree(POCKET, folder, ignore=shutil.ignore_patterns("sdk*"))
        shutil.copytree(POCKET / f"sdk{sdk}", folder, dirs_exist_ok=True)
        text = appfile.propose(folder)
        (folder / "shipway.toml").write_text(text)
        app = f"pocket{sdk}"
        commit = await site.app(app, folder)
        product = appfile.parse(text)
        publics = {"staging": {"EXPO_PUBLIC_DOMAIN": DOMAIN}}
        steps = planning.plan(product, full=True, publics=publics).steps
        left_out = {f"export {one} staging" for one in (*NATIVE, "web") if one not in EXPORTED}
        return cls(site, app, commit, tuple(s for s in steps if s.name not in left_out))

    async def build(self, *, again: bool = False) -> Mapping[str, StepResult]:
        """Perform every step in a new run; ``again`` what was exported before, too."""
        run = await self.site.begin(self.app, self.commit, push=2 if again else 1)

        async def perform(step: BuildStep) -> StepResult:
            wanted = dataclasses.replace(step, cacheable=not (again and "export" in step.name))
            return await self.site.builder.perform(run, self.app, self.commit, wanted, Mask())

        install, *others = self.steps
        made = [await perform(install), *await asyncio.gather(*map(perform, others))]
        return {step.name: result for step, result in zip(self.steps, made, strict=True)}


@pytest.mark.parametrize("sdk", BYTECODE if ALL else ["54"])
async def test_a_client_is_exported_and_repeats(
    site: Site, tmp_path: pathlib.Path, sdk: str
) -> None:
    pocket = await Pocket.on(site, sdk, tmp_path / "pocket")
    made = await pocket.build()
    bytecode = {platform: BYTECODE[sdk] if platform in NATIVE else None for platform in EXPORTED}
    found = {one: made[f"export {one} staging"].facts.get("hermes") for one in EXPORTED}
    assert found == bytecode
    prints = made["fingerprints"].facts
    assert len({prints[f"fingerprint.{platform}"] for platform in NATIVE}) == len(NATIVE)
    for platform in set(NATIVE) & set(EXPORTED):
        await can_be_published(site, made[f"export {platform} staging"], platform, tmp_path)

    # What Metro has kept from the first time must not show.
    assert artifacts(await pocket.build(again=True)) == artifacts(made)


def artifacts(made: Mapping[str, StepResult]) -> dict[str, str]:
    return {name: digest for result in made.values() for name, digest in result.artifacts.items()}


async def can_be_published(
    site: Site, made: StepResult, platform: str, tmp_path: pathlib.Path
) -> None:
    archive = await site.store.path(made.artifacts[f"{platform}.staging"])
    folder = tmp_path / f"read-{platform}"
    folder.mkdir()
    export = exports.read(archive, platform, folder)
    assert (export.platform, [asset.ending for asset in export.assets]) == (platform, ["png"])
    assert export.config["slug"] == "pocket"
    assert DOMAIN.encode() in (folder / export.launch.sha256).read_bytes()
