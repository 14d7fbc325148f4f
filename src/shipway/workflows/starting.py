"""Starts the instances of a release, and starts them again when they are lost."""

from __future__ import annotations

from shipway.kit import errors, log
from shipway.runtime.model import Ailment, Finding, Instance, Start
from shipway.workflows import hiding, provided, watching
from shipway.workflows.entering import Entry, entry_of
from shipway.workflows.platform import Platform

_log = log.get("starting")


async def starts(on: Platform, entry: Entry) -> tuple[Start, ...]:
    """Say how each instance of a deployment is started, secrets opened: never keep the answer."""
    server = entry.product.server
    if server is None:
        return ()
    database = entry.product.database and await on.clusters.access(entry.app, entry.environment)
    env = await variables(on, entry, database.app_url if database else "")
    known = await on.variables.secret_values(entry.app, entry.environment)
    # Of what it does not hold, such as the password of migrations, it learns nothing.
    secrets = tuple(one for one in known if any(one in value for value in env.values()))
    return tuple(
        Start(
            app=entry.app,
            environment=entry.environment,
            release=entry.release.id,
            deployment=entry.deployment.served_by,
            index=index,
            kind=server.kind,
            argv=server.start,
            main=server.main,
            cwd=server.folder,
            port_variable=server.port,
            env=env,
            secrets=secrets,
            drain_seconds=server.drain_seconds,
        )
        for index in range(entry.site.policy.instances)
    )


async def variables(on: Platform, entry: Entry, db_url: str) -> dict[str, str]:
    """Return what a program of the release is told, with an address of its database: the server's
    own, or the owner's for a migration, which reads the same settings."""
    facts = provided.facts(
        on.settings,
        entry.product,
        entry.environment,
        release=entry.release.version,
        db_url=db_url,
    )
    return await on.variables.server_environment(entry.app, entry.environment, entry.product, facts)


async def instances_of(on: Platform, entry: Entry) -> list[Instance]:
    """Return the instances that serve a deployment."""
    running = await on.instances.running(entry.app, entry.environment)
    return [one for one in running if one.deployment == entry.deployment.served_by]


async def wait_until_ready(on: Platform, entry: Entry) -> None:
    """Return when every instance answers. Raises `errors.Failed` with the end of its log."""
    for instance in await instances_of(on, entry):
        await _wait_for(on, entry, instance)


async def _wait_for(on: Platform, entry: Entry, instance: Instance) -> None:
    if (server := entry.product.server) is None:
        return
    async with hiding.secrets_hidden(on, entry.app):
        await on.instances.wait_ready(
            instance,
            health=server.health,
            timeout=float(server.ready_seconds),
            crashes=watching.crashes_that_tell(entry.deployment),
        )


async def join_traffic(on: Platform, entry: Entry, *, without: str = "") -> None:
    """Make the instances known to the edge, all but one that is to leave."""
    server = entry.product.server
    if server is None:
        return
    serving = [one for one in await instances_of(on, entry) if one.id != without]
    endpoints = [str(one.address) for one in serving]
    await on.traffic.add(entry.site, entry.deployment.served_by, endpoints, server.health)


async def mend(on: Platform) -> None:
    """Replace what was lost among the instances that serve: no request is dropped.

    An orphan goes on serving until its successor, on another port, has its traffic.
    """
    for finding in await on.instances.reconcile():
        place = finding.instance.place
        live = await on.deployments.live(place.app, place.environment)
        if live is None or live.served_by != place.deployment:
            continue
        _log.warning("instance.lost", sentence=finding.sentence)
        try:
            async with hiding.secrets_hidden(on, place.app):
                await _replace(on, await entry_of(on, live.id), finding)
        except errors.Unavailable as error:
            _log.warning("instance.waits", instance=str(place), why=str(error))
        except errors.ShipwayError as error:
            _log.error("instance.not_mended", instance=str(place), why=str(error))
            await _tell(on, finding, error)


async def _tell(on: Platform, finding: Finding, error: errors.ShipwayError) -> None:
    """Tell that a live release has one instance less, once for each, however often it is tried."""
    lost = finding.instance
    await on.outbox.put(
        "instance.not_mended",
        app=lost.place.app,
        subject=lost.id,
        sentence=f"{finding.sentence} It cannot be brought back: {error}",
        evidence={"environment": lost.place.environment, "deployment": lost.deployment},
    )


async def _replace(on: Platform, entry: Entry, finding: Finding) -> None:
    orphaned = finding.ailment is Ailment.ORPHANED
    lost = finding.instance
    for start in await starts(on, entry):
        if start.index != lost.place.index:
            continue
        successor = await on.instances.start(start, beside=lost if orphaned else None)
        if orphaned:
            # For it alone: a second copy of the orphan dies at its port again and again.
            await _wait_for(on, entry, successor)
            await join_traffic(on, entry, without=lost.id)
            await on.instances.stop(lost)
