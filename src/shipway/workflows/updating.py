"""Updates within the stories: published with a release, rolled out and taken back with it; and
what people ask for by themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shipway.kit import durable, errors
from shipway.releases.model import Release
from shipway.updates.model import PLATFORMS
from shipway.updates.office import Halted
from shipway.updates.publishing import Publication
from shipway.updates.records import Change, Group
from shipway.workflows import provided
from shipway.workflows.entering import Entry, entry_of
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

UNSEEN = 0
"""An update enters with its release's first share; until then nobody is offered it."""

WHO_HAS_IT = "Who has it keeps it until something newer comes."


async def publish(on: Platform, entry: Entry) -> str:
    """Publish the release's update, for nobody yet. Returns a sentence.

    A release whose native side has changed goes on without one: its server is deployed, and its
    client comes with the next native build.
    """
    found = publication(on, entry.release, entry, key=f"deploy:{entry.deployment.id}")
    if not found.exports:
        return ""
    try:
        group = await on.updates.publisher.publish(found)
    except errors.Refused as error:
        return await _judge(on, entry, open_=False, sentence=f"No update was published. {error}")
    return await _judge(on, entry, open_=True, sentence=f"Update {group.id}: {group.sentence}")


async def share(on: Platform, entry: Entry, per_mille: int) -> None:
    """Offer the release's update to the same part of the devices as its server, unless people have
    paused it or let it go further."""
    if group := await _of(on, entry):
        await on.updates.changes.reach(group.id, per_mille)


async def withdraw(on: Platform, entry: Entry, why: str) -> None:
    """Take back the update of a deployment that did not succeed."""
    if group := await _of(on, entry):
        await on.updates.changes.withdraw(
            group.id,
            key=f"withdraw:{entry.deployment.id}",
            author=entry.deployment.asked_by,
            message=why[:500],
        )


async def take_back(on: Platform, entry: Entry) -> str:
    """Bring the channel back to the update of the release that comes back. Returns a sentence."""
    group = await on.updates.changes.roll_back_release(
        entry.app,
        entry.environment,
        entry.release.id,
        key=f"rollback:{entry.deployment.id}",
        author=entry.deployment.asked_by,
        message=f"{entry.environment} goes back to {entry.release.version}",
    )
    return group.sentence if group else ""


async def keep_house(on: Platform) -> None:
    """Learn what updates do on devices, halt what fails there, and tell of it."""

    async def telling(halted: Halted) -> None:
        event, sentence = _told(halted)
        await on.outbox.put(
            event,
            app=halted.group.app,
            subject=halted.group.id,
            sentence=sentence,
            evidence={"environment": halted.group.branch, "release": halted.group.release},
        )

    await on.updates.keep_house(telling)


def _told(halted: Halted) -> tuple[str, str]:
    """Return the event and the sentence that tell of an update which failed on devices."""
    branch, version = halted.group.branch, halted.group.version
    update = f"update of {version}" if version else "update"
    if not halted.trouble:
        return "update.halted", f"{branch} took back the {update} by itself: {halted.why}"
    kept = f"{branch} offers the {update} to nobody new: {halted.why}"
    return "update.not_taken_back", f"{kept} It could not be taken back: {halted.trouble}"


async def carry_out(name: str, do: Updating) -> Outcome:
    """Do what a person asked for. Whatever breaks, that person hears of it."""
    try:
        return await do.perform(name)
    except errors.ShipwayError as error:
        return await do.fail(name, str(error))


def publication(
    on: Platform, release: Release, entry: Entry, *, key: str, **given: Any
) -> Publication:
    """Return what a release has to publish in an environment."""
    environment = entry.environment
    domain = entry.product.environments[environment].domain
    artifacts = release.artifacts
    values: dict[str, Any] = {
        "message": release.changelog.splitlines()[0].removeprefix("- ")
        if release.changelog
        else "",
        "author": entry.deployment.asked_by,
        "per_mille": UNSEEN,
        **given,
    }
    return Publication(
        app=release.app,
        branch=environment,
        key=key,
        base_url=f"https://{provided.address(on.settings, domain)}",
        exports=_of_platforms(artifacts, "{platform}." + environment),
        fingerprints=_of_platforms(artifacts, "fingerprint.{platform}"),
        release=release.id,
        version=release.version,
        commit=release.commit,
        **values,
    )


async def _of(on: Platform, entry: Entry) -> Group | None:
    return await on.updates.records.group_of_key(f"deploy:{entry.deployment.id}")


async def _judge(on: Platform, entry: Entry, *, open_: bool, sentence: str) -> str:
    await on.releases.judge(
        entry.release.id, entry.environment, "update published", open=open_, sentence=sentence
    )
    return sentence


def _of_platforms(artifacts: Mapping[str, str], name: str) -> dict[str, str]:
    named = {platform: name.format(platform=platform) for platform in PLATFORMS}
    return {platform: artifacts[of] for platform, of in named.items() if of in artifacts}


class Updating:
    """What people ask for: `Requests` records it, the worker does it, since it alone can sign."""

    def __init__(self, on: Platform) -> None:
        self._on = on
        self._deeds: Mapping[str, Callable[[Change], Awaitable[tuple[str, str]]]] = {
            "publish": self._publish,
            "share": self._share,
            "pause": self._pause,
            "resume": self._resume,
            "revert": self._revert,
            "roll_back": self._roll_back,
            "channel": self._channel,
            "create_key": self._create_key,
            "import_key": self._import_key,
            "rotate_key": self._rotate_key,
            "retire_key": self._retire_key,
            "remove_garbage": self._remove_garbage,
        }

    @durable.step
    async def perform(self, name: str) -> Outcome:
        """Do what was asked for, once, and say what came of it."""
        records = self._on.updates.records
        change = await records.change(name)
        if change.state == "waiting":
            try:
                sentence, about = await self._deeds[change.action](change)
                await records.end_change(name, "done", sentence, about)
            except errors.ShipwayError as error:
                await records.end_change(name, "refused", str(error))
        ended = await records.change(name)
        return Outcome(good=ended.state == "done", sentence=ended.sentence)

    @durable.step
    async def fail(self, name: str, why: str) -> Outcome:
        """End a change that was given up, unless it has ended."""
        records = self._on.updates.records
        if (await records.change(name)).state == "waiting":
            await records.end_change(name, "refused", why)
        ended = await records.change(name)
        return Outcome(good=ended.state == "done", sentence=ended.sentence)

    async def _publish(self, change: Change) -> tuple[str, str]:
        on, asked = self._on, change.arguments
        release = await on.releases.get(asked["release"], app=change.app)
        entry = await self._entry(asked["environment"], change)
        given = {"author": change.by, "per_mille": asked["per_mille"]}
        if asked["message"]:
            given["message"] = asked["message"]
        found = publication(on, release, entry, key=change.id, **given)
        group = await on.updates.publisher.publish(found)
        return f"{group.id} of {release.version} is out. {group.sentence}", group.id

    async def _entry(self, environment: str, change: Change) -> Entry:
        """Return how the environment is served now: an update without its server is of no use."""
        live = await self._on.deployments.live(change.app, environment)
        if live is None:
            raise errors.Refused(
                f"Nothing is live in {environment} of {change.app}", fix="Deploy a release first."
            )
        return await entry_of(self._on, live.id)

    async def _share(self, change: Change) -> tuple[str, str]:
        group = await self._on.updates.changes.share(
            change.arguments["update"], int(change.arguments["per_mille"])
        )
        return f"{group.id} is offered to {group.per_mille / 10:g} % of the devices.", group.id

    async def _pause(self, change: Change) -> tuple[str, str]:
        group = await self._on.updates.changes.pause(change.arguments["update"])
        return group.sentence, group.id

    async def _resume(self, change: Change) -> tuple[str, str]:
        group = await self._on.updates.changes.resume(change.arguments["update"])
        return group.sentence, group.id

    async def _revert(self, change: Change) -> tuple[str, str]:
        group = await self._on.updates.changes.withdraw(
            change.arguments["update"], key=change.id, author=change.by, message="Reverted."
        )
        if group:
            return group.sentence, group.id
        about = change.arguments["update"]
        return f"{about} is offered to nobody any more. {WHO_HAS_IT}", about

    async def _roll_back(self, change: Change) -> tuple[str, str]:
        asked = change.arguments
        group = await self._on.updates.changes.roll_back(
            change.app,
            asked["environment"],
            key=change.id,
            author=change.by,
            message=asked["message"],
            to=asked["to"],
        )
        return group.sentence, group.id

    async def _channel(self, change: Change) -> tuple[str, str]:
        asked = change.arguments
        channel = await self._on.updates.changes.change_channel(
            change.app,
            asked["name"],
            paused=asked["paused"],
            pinned=asked["pinned"],
            branch=asked["branch"],
            headers=asked["headers"],
            asset_headers=asked["asset_headers"],
        )
        pinned = f", pinned to {channel.pinned}" if channel.pinned else ""
        how = "is paused" if channel.paused else f"serves the updates of {channel.branch}{pinned}"
        return f"{channel.name} {how}.", channel.name

    async def _create_key(self, change: Change) -> tuple[str, str]:
        key = await self._on.updates.changes.create_key(
            change.app, change.arguments["key"], change=change.id
        )
        return f"Key {key.id} signs from now on.", key.id

    async def _import_key(self, change: Change) -> tuple[str, str]:
        asked = change.arguments
        key = await self._on.updates.changes.import_key(
            change.app, asked["key"], asked["certificate"], asked["chain"], change=change.id
        )
        return f"Key {key.id}, which is kept elsewhere, signs from now on.", key.id

    async def _rotate_key(self, change: Change) -> tuple[str, str]:
        key = await self._on.updates.changes.rotate_key(change.app, change=change.id)
        return f"Key {key.id} signs from now on, beside those in use.", key.id

    async def _retire_key(self, change: Change) -> tuple[str, str]:
        key = change.arguments["key"]
        await self._on.updates.changes.retire_key(change.app, key)
        return f"Key {key} signs nothing more.", str(key)

    async def _remove_garbage(self, change: Change) -> tuple[str, str]:  # noqa: ARG002 -- like the others
        found = await self._on.updates.garbage.remove()
        return f"{len(found.files)} files went, {found.size} bytes; {found.kept} stay.", ""
