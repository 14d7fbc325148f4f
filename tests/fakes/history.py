"""An app with a past, laid out in real records: runs, logs, releases, deployments, updates."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from tests.fakes.platform import Instance, Parts

from shipway.access.model import Role
from shipway.builds.model import RunKind, State
from shipway.kit import clock, command, db
from shipway.kit.mask import Mask
from shipway.releases.model import Deployment, Release
from shipway.runtime.model import Address

HOSTILE = "<script>alert(1)</script> \u202eevil 🦄 'quote' \"double\""
"""A text that a page must show, and not run or be turned around by."""

PRODUCT = """
name = "tiny"

[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"

[variables.GREETING]
description = "What the server says"
kind = "plain"

[variables.API_KEY]
required = true

[environments.staging]
domain = "staging.tiny.localhost"

[environments.production]
domain = "tiny.localhost"
"""

LOG = (
    "collected 3 items",
    "\x1b[32mPASSED\x1b[0m tests/test_words.py",
    f"a line that means no harm: {HOSTILE}",
    "x" * 7000,
    "\x1b[1;31mFAILED\x1b[0m tests/test_other.py - assert 1 == 2",
)


@dataclass(frozen=True)
class Past:
    """What was laid out."""

    commits: tuple[str, ...]
    runs: tuple[str, ...]
    releases: tuple[Release, ...]
    live: Deployment


async def lay_out(parts: Parts) -> Past:
    """Make people, and the app tiny: v1 and v2 were in production, v3 is ready for it."""
    on = parts.platform
    for name, role in (("olga", Role.OWNER), ("bo", Role.APPROVER), ("vera", Role.VIEWER)):
        await on.people.add(name, role, [f"{name}@example.org"])
    await on.people.add("ana", Role.DEVELOPER, ["ana@example.org"])
    await on.apps.create("tiny", "ana")
    commits = await _commits(parts, ("Begin", "Say hello", f"Change {HOSTILE}", "Try", "Try again"))
    await on.apps.accept("tiny", commits[0], PRODUCT)
    runs = [await _run(parts, number, commit) for number, commit in enumerate(commits, 1)]
    releases = [
        await _release(parts, run, commits[place], place) for place, run in enumerate(runs[:3])
    ]
    for release in releases[:2]:
        await _deploy(parts, release, "production")
    for release in releases:
        live = await _deploy(parts, release, "staging")
    await _gates(parts, releases[2])
    await _updates(parts, releases)
    parts.machine.names = ["store", "api", "worker", "intake", "edge", "cluster.tiny.production"]
    parts.machine.servers = [
        Instance(f"ins_{port}", "v2", Address("127.0.0.1", port)) for port in (20001, 20002)
    ]
    await on.variables.set("tiny", "staging", "GREETING", HOSTILE, None, "ana")
    await on.audit.record("ana", "push", "tiny", {"refs/heads/main": commits[-1]})
    return Past(tuple(commits), tuple(runs), tuple(releases), live)


async def _commits(parts: Parts, subjects: tuple[str, ...]) -> list[str]:
    """Make a line of commits in the app's repository."""
    path = await parts.platform.sources.create("tiny")
    env = {
        **command.base_environment(),
        "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
        "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org",
    }  # fmt: skip

    async def git(*words: str, stdin: str = "") -> str:
        ended = await command.run(
            command.Command(argv=("git", "-C", str(path), *words), env=env, stdin=stdin.encode())
        )
        return ended.output.strip()

    tree = await git("hash-object", "-w", "-t", "tree", "/dev/null")
    made: list[str] = []
    for subject in subjects:
        parent = ("-p", made[-1]) if made else ()
        made.append(await git("commit-tree", tree, *parent, "-m", subject))
    await git("update-ref", "refs/heads/main", made[-1])
    return made


async def _run(parts: Parts, number: int, commit: str) -> str:
    """Make a run; the last two are one that failed and one that runs still."""
    runs, logs = parts.platform.runs, parts.platform.logs
    branch = "main" if number < 4 else f"try/{HOSTILE}"
    run = await runs.create("tiny", branch, commit, push=number, kind=RunKind.FULL, by="ana")
    await runs.set_state(run.id, State.RUNNING)
    await runs.announce(run.id, ["install server"], ["test unit", "server"], ["deploy staging"])
    for step in ("install server", "test unit"):
        await runs.start_step(run.id, step)
        async with logs.writing(run.id, step, Mask()) as write:
            for line in LOG:
                write(line)
        if number < 5 or step == "install server":
            failed = number == 4 and step == "test unit"
            state = State.FAILED if failed else State.SUCCEEDED
            await runs.end_step(run.id, step, state, "1 of 3 tests failed." if failed else "Done.")
    if number < 4:
        await runs.set_state(run.id, State.SUCCEEDED, f"v{number} is ready for production.")
    elif number == 4:
        await runs.set_state(run.id, State.FAILED, "test unit failed: 1 of 3 tests failed.")
    return run.id


async def _release(parts: Parts, run: str, commit: str, place: int) -> Release:
    releases = parts.platform.releases
    made = await releases.add(
        app="tiny",
        run=run,
        commit=commit,
        schema_head=f"000{place + 1}_notes",
        artifacts={"server": f"{place}" * 64, "migrations": "b" * 64},
        product=PRODUCT,
        changelog=f"- Change {HOSTILE}\n- Say hello",
        authors=["ana"],
    )
    await releases.set_state(made.id, "ready")
    return await releases.get(made.id)


async def _deploy(parts: Parts, release: Release, environment: str) -> Deployment:
    deployments = parts.platform.deployments
    before = await deployments.live("tiny", environment)
    asked = await deployments.ask(
        id=f"dep_{release.number}_{environment}",
        release=release,
        environment=environment,
        kind="deploy",
        by="bo",
        reason=HOSTILE,
        plan=(10, 100, 500, 1000) if environment == "production" else (1000,),
    )
    await deployments.begin(asked.id, served_by=asked.id, before=before.id if before else None)
    await deployments.become_live(
        asked,
        sentence=f"{environment} serves {release.version}.",
        warm_until=clock.now() + datetime.timedelta(hours=1),
    )
    return await deployments.get(asked.id)


async def _gates(parts: Parts, release: Release) -> None:
    judge = parts.platform.releases.judge
    await judge(
        release.id, "production", "tests passed", open=True,
        sentence="3 tests passed.", evidence={"tests": 3, "why": HOSTILE},
    )  # fmt: skip
    await judge(
        release.id, "production", "approved", open=False,
        sentence="0 of 1 approvals given. bo or olga can approve.", evidence={"approvals": []},
    )  # fmt: skip


async def _updates(parts: Parts, releases: list[Release]) -> None:
    """Publish an update of the live release, which some devices run and one failed to launch."""
    database: db.Database = parts.platform.database
    for number, release in enumerate(releases[:2], 1):
        group = f"upd_{number}"
        await database.run(
            """insert into updates.groups (id, app, branch, key, kind, release, version, commit,
                   message, author, per_mille, state, size, sentence)
               values (%(group)s, 'tiny', 'production', %(group)s, 'publish', %(release)s,
                   %(version)s, %(commit)s, %(message)s, 'ana', %(share)s, %(state)s, 2400000,
                   'Published with its release.')""",
            group=group, release=release.id, version=release.version, commit=release.commit,
            message=f"Change {HOSTILE}", share=1000 if number == 1 else 500,
            state="whole" if number == 1 else "rolling",
        )  # fmt: skip
        for platform in ("ios", "android"):
            entry = f"{group}-{platform}"
            await database.run(
                """insert into updates.entries (id, "group", app, branch, platform, runtime, kind,
                       created, body, signatures, launch, size)
                   values (%(entry)s, %(group)s, 'tiny', 'production', %(platform)s, '1.0', 'update',
                       %(number)s, '{}', '{}', %(entry)s, 1200000)""",
                entry=entry, group=group, platform=platform, number=number,
            )  # fmt: skip
            await _devices(database, entry, platform, 30 if number == 1 else 10)
    await database.run(
        """insert into updates.patches (app, base, target, file, size, full_size, offered, sentence,
               hits) values ('tiny', 'upd_1-ios', 'upd_2-ios', 'f', 90000, 1200000, true,
               '90000 bytes instead of 1200000.', 9)"""
    )
    await database.run(
        "insert into updates.channels (app, name, branch) values ('tiny', 'production', 'production')"
    )


async def _devices(database: db.Database, entry: str, platform: str, count: int) -> None:
    await database.run(
        """insert into updates.devices
               (app, client, channel, platform, runtime, current, first_at, last_at)
           select 'tiny', %(entry)s || n, 'production', %(platform)s, '1.0', %(entry)s, now(), now()
           from generate_series(1, %(count)s) n""",
        entry=entry, platform=platform, count=count,
    )  # fmt: skip
    await database.run(
        """insert into updates.exposures
               (app, update_id, client, offered, downloaded, launched, failed, error)
           select 'tiny', %(entry)s, %(entry)s || n, now() - n * interval '20 minutes',
                  now() - n * interval '19 minutes',
                  case when n > 1 then now() - n * interval '18 minutes' end,
                  case when n = 1 then now() end,
                  case when n = 1 then %(error)s else '' end
           from generate_series(1, %(count)s) n""",
        entry=entry, count=count, error=f"TypeError: undefined is not a function {HOSTILE}",
    )  # fmt: skip
