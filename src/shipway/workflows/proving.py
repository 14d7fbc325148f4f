"""Looks at a deployed release from outside: through the edge, as its users do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from shipway.builds import planning
from shipway.builds.model import BuildStep
from shipway.kit import errors, http
from shipway.kit.mask import Mask
from shipway.workflows import hiding, provided
from shipway.workflows.entering import Entry
from shipway.workflows.platform import Platform

CA_FILE = "ca.pem"


async def answers(on: Platform, entry: Entry) -> str:
    """Ask every host through the edge. Returns a sentence; raises `errors.Failed`."""
    asked = []
    for host, to in entry.site.hosts:
        server = entry.product.server
        if to == "server" and server is None:
            continue
        path = server.health if server and to == "server" else "/"
        asked.append(await _ask(on, entry, host, path))
    return " ".join(asked)


async def _ask(on: Platform, entry: Entry, host: str, path: str) -> str:
    settings, tls = on.settings, entry.site.policy.tls
    port = settings.https_port if tls else settings.http_port
    url = f"{'https' if tls else 'http'}://{host}:{port}{path}"
    answer = await http.get(
        url, address=f"127.0.0.1:{port}", ca_file=on.traffic.ca_file if tls else None
    )
    if answer.status_code >= 500 or (answer.status_code >= 400 and path != "/"):
        raise errors.Failed(
            f"{url} answered {answer.status_code} through the edge.",
            fix=f"`shipway logs` of the run shows why; {entry.release.version} was not kept.",
        )
    return f"{url} answers {answer.status_code}."


async def end_to_end(on: Platform, entry: Entry) -> str:
    """Run the app's end-to-end tests against the release. Returns a sentence."""
    if not entry.product.tests.e2e:
        return "There are no end-to-end tests."
    steps = planning.end_to_end(
        entry.product,
        env=_addresses(on, entry),
        files={CA_FILE: on.traffic.ca_file.read_text()},
    )
    run, commit = entry.release.run, entry.release.commit
    await on.runs.announce(run, *([step.name] for step in steps))
    mask = await hiding.mask_of(on, entry.app)
    async with _workspace(on, entry, steps, mask):
        for step in steps:
            await on.builder.perform(run, entry.app, commit, step, mask)
    names = ", ".join(test.name for test in entry.product.tests.e2e)
    return f"The end-to-end tests passed against {entry.environment}: {names}."


@contextlib.asynccontextmanager
async def _workspace(
    on: Platform, entry: Entry, steps: Sequence[BuildStep], mask: Mask
) -> AsyncIterator[None]:
    """Have what the steps stand on: a run that is over, such as that of a release which is deployed
    again, has cleaned up behind itself."""
    run, app, commit = entry.release.run, entry.app, entry.release.commit
    if not (await on.runs.get(run)).state.is_final:
        yield
        return
    try:
        await on.builder.check_out(run, app, commit)
        for step in planning.beneath(entry.product, steps):
            await on.builder.perform(run, app, commit, step, mask)
        yield
    finally:
        await on.builder.clean_up(run, app)


def _addresses(on: Platform, entry: Entry) -> dict[str, str]:
    """Where the release is. The names may not resolve here: `E2E_RESOLVE` says to what."""
    file = entry.product.environments[entry.environment]
    port = on.settings.https_port
    return {
        "E2E_BASE_URL": f"https://{provided.address(on.settings, file.domain)}",
        "E2E_API_URL": f"https://{provided.address(on.settings, file.api_domain)}",
        "E2E_RESOLVE": ",".join(
            f"{host}:{port}=127.0.0.1:{port}" for host in (file.domain, file.api_domain)
        ),
        "E2E_CA_FILE": f"/box/run/{CA_FILE}",
        "E2E_OUTPUT": "/box/scratch/evidence",
    }
