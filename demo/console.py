"""The console in Chromium: signed in by a link, looked at and pictured."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import pathlib
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from demo.run import AIOS, kept_home, say
from demo.stage import Stage

TINY = pathlib.Path(__file__).parent.parent / "tests" / "apps" / "tiny"
CHROMIUM = "/usr/bin/chromium"

LOOKS: Mapping[str, Mapping[str, object]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            await browser.close()


async def link(stage: Stage, person: str) -> str:
    """Return a link that signs somebody in, as the command line gives it."""
    told = json.loads(await stage.told("console", "--json", person=person))
    return str(told["link"])


@contextlib.asynccontextmanager
async def signed_in(
    browser: Browser, stage: Stage, person: str, look: str = "light", **more: object
) -> AsyncIterator[Page]:
    """Give a page in which somebody is signed in."""
    context: BrowserContext = await browser.new_context(
        **{**LOOKS[look], **more}  # type: ignore[arg-type]
    )
    context.set_default_timeout(60_000)
    try:
        page = await context.new_page()
        await page.goto(await link(stage, person))
        await page.get_by_role("button", name=f"Sign in as {name_of(person)}").click()
        await page.wait_for_url(lambda url: "/enter/" not in url)
        yield page
    finally:
        await context.close()


def name_of(person: str) -> str:
    """Return the account of a person of the stage: the developer is the first owner."""
    return "owner" if person == "dev" else person


async def paths(stage: Stage) -> dict[str, str]:
    """Return the pages that there are, by name, with the latest run and release as examples."""
    app = f"/console/apps/{stage.app}"
    async with stage.api() as api:
        run = (await api.runs(stage.app, limit=1)).items[0].id
        release = await stage.live("production")
        updates = (await api.updates(stage.app)).items
    found = {
        "apps": "/console/",
        "overview": app,
        "runs": f"{app}/runs",
        "run": f"{app}/runs/{run}",
        "releases": f"{app}/releases",
        "release": f"{app}/releases/{release}",
        "updates": f"{app}/updates",
        "settings": f"{app}/settings",
        "people": "/console/people",
        "person": f"/console/people/{name_of('dev')}",
        "audit": "/console/audit",
    }
    return found | ({"update": f"{app}/updates/{updates[0].id}"} if updates else {})


async def picture(
    stage: Stage, folder: pathlib.Path, *, looks: Sequence[str] = tuple(LOOKS)
) -> list[str]:
    """Write each page as a PNG, in each look, and return the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    async with chromium() as browser:
        for look in looks:
            async with signed_in(browser, stage, "dev", look) as page:
                for name, path in (await paths(stage)).items():
                    await page.goto(stage.api_url + path)
                    file = folder / f"{name}-{look}.png"
                    await page.screenshot(path=file, full_page=True)
                    written.append(file.name)
    return written


@contextlib.asynccontextmanager
async def standing() -> AsyncIterator[Stage]:
    """Give the demo that runs; where none does, a platform with the tiny app for the moment."""
    settings = kept_home() / "shipway" / "settings.toml"
    if settings.exists():
        stage = Stage.kept(kept_home(), AIOS)
        stage.ports = {k: v for k, v in tomllib.loads(settings.read_text()).items() if "port" in k}
        yield stage
        return
    say("No demo runs: the pictures are of the tiny app, on a platform for the moment.")
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-pictures-", dir="/var/tmp"))
    stage = Stage.fresh(home, TINY, quiet=True)
    try:
        await stage.set_up()
        await stage.create_app()
        await stage.deliver()
        await stage.invite_approver()
        await stage.promote()
        yield stage
    finally:
        await stage.end()


async def main(folder: pathlib.Path) -> int:
    async with standing() as stage:
        for name in await picture(stage, folder):
            print(folder / name)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="the console's pages as pictures")
    parser.add_argument("folder", type=pathlib.Path)
    sys.exit(asyncio.run(main(parser.parse_args().folder)))
