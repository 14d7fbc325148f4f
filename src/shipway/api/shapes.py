"""The contexts' records in the shapes of the wire."""

from __future__ import annotations

from shipway.access import model as access
from shipway.builds import model as builds
from shipway.client import wire
from shipway.environments import model as environments
from shipway.health import model as health
from shipway.releases import model as releases


def token(found: access.Token) -> wire.Token:
    return wire.Token(
        id=found.id,
        name=found.name,
        created=found.created,
        expires=found.expires,
        last_used=found.last_used,
    )


def person(found: access.Person) -> wire.Person:
    return wire.Person(
        name=found.name, role=found.role.value, emails=found.emails, created=found.created
    )


def approval(found: access.Approval) -> wire.Approval:
    return wire.Approval(
        person=found.person, at=found.at, reason=found.reason, emergency=found.emergency
    )


def run(found: builds.Run) -> wire.Run:
    return wire.Run(
        id=found.id,
        app=found.app,
        branch=found.branch,
        commit=found.commit,
        kind=found.kind,
        state=found.state,
        pushed_by=found.pushed_by,
        started=found.started or found.created,
        ended=found.ended,
        sentence=found.sentence,
    )


def step(found: builds.StepRecord) -> wire.Step:
    return wire.Step(
        name=found.name,
        state=found.state,
        cached=found.cached,
        started=found.started,
        ended=found.ended,
        sentence=found.sentence,
    )


def release(found: releases.Release) -> wire.Release:
    return wire.Release(
        id=found.id,
        app=found.app,
        version=found.version,
        number=found.number,
        commit=found.commit,
        schema_head=found.schema_head,
        branch=found.branch,
        state=found.state,
        created=found.created,
        artifacts=dict(found.artifacts),
    )


def gate(found: releases.Gate) -> wire.Gate:
    return wire.Gate(
        name=found.name,
        environment=found.environment,
        open=found.open,
        sentence=found.sentence,
        evidence=dict(found.evidence),
        at=found.at,
    )


def deployment(found: releases.Deployment) -> wire.Deployment:
    return wire.Deployment(
        id=found.id,
        app=found.app,
        environment=found.environment,
        release=found.release,
        version=found.version,
        kind=found.kind,
        state=found.state,
        by=found.asked_by,
        reason=found.reason,
        started=found.started,
        ended=found.ended,
        sentence=found.sentence,
        watch=found.watch,
        watched_until=found.watched_until,
        withdrawn=found.withdrawn,
    )


def variable(found: environments.Shown) -> wire.Variable:
    return wire.Variable(
        name=found.name,
        kind=found.kind,
        value=found.value,
        source=found.source,
        description=found.description,
        required=found.required,
        set_by=found.set_by,
        set_at=found.set_at,
    )


def difference(found: environments.Difference) -> wire.Difference:
    return wire.Difference(
        name=found.name, kind=found.kind, left=found.a, right=found.b, sentence=found.sentence
    )


def channel(found: health.Channel) -> wire.Channel:
    return wire.Channel(
        id=found.id, app=found.app, kind=found.kind, target=found.target, created=found.created
    )


def delivery(found: health.Delivery) -> wire.Delivery:
    return wire.Delivery(
        event=found.event,
        subject=found.subject,
        sentence=found.sentence,
        channel=found.channel,
        state=found.state,
        attempts=found.attempts,
        last_error=found.last_error,
        at=found.at,
    )
