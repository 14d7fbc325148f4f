"""The API as typed calls. Every call raises the error that the server raised."""

from __future__ import annotations

import asyncio
import pathlib
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx2
import pydantic

from shipway.client import problems, sessions_wire, status_wire, wire
from shipway.client.asking import Answer
from shipway.client.backups import BackupCalls
from shipway.client.housekeeping import HousekeepingCalls
from shipway.client.schema import SchemaCalls
from shipway.client.updates import UpdateCalls
from shipway.kit import errors, http

Body = TypeVar("Body", bound=wire.Request)

ATTEMPTS = 3
"""A write carries an idempotency key, so that asking again after a lost answer is safe."""

PATIENCE = 60
"""What is followed is asked for again as often as this in a row without hearing anything."""


class Client(UpdateCalls, HousekeepingCalls, BackupCalls, SchemaCalls):
    """A connection to one Shipway; use it as an asynchronous context.

    ``address`` (``host:port``) is connected to instead of the URL's; ``socket`` is a Unix socket.
    """

    def __init__(
        self,
        url: str,
        token: str,
        ca_file: pathlib.Path | None = None,
        *,
        address: str = "",
        socket: pathlib.Path | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = http.client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}"} if token else {},
            ca_file=ca_file,
            address=address,
            socket=socket,
            timeout=30,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # The whole

    async def status(self) -> status_wire.Status:
        return await self._ask(status_wire.Status, "GET", "/v1/status")

    async def me(self) -> wire.Me:
        return await self._ask(wire.Me, "GET", "/v1/me")

    # Apps

    async def apps(self, *, limit: int = 50, after: str = "") -> wire.Page[wire.App]:
        return await self._ask(wire.Page[wire.App], "GET", _page("/v1/apps", limit, after))

    async def app(self, name: str) -> wire.App:
        return await self._ask(wire.App, "GET", _path("apps", name))

    async def create_app(self, name: str) -> wire.App:
        return await self._ask(wire.App, "POST", "/v1/apps", _body(wire.CreateApp, name=name))

    async def remove_app(self, name: str) -> wire.Said:
        return await self._ask(wire.Said, "DELETE", _path("apps", name))

    # Runs

    async def runs(self, app: str, *, limit: int = 20, after: str = "") -> wire.Page[wire.Run]:
        """The newest come first."""
        return await self._ask(
            wire.Page[wire.Run], "GET", _page(_path("apps", app, "runs"), limit, after)
        )

    async def run(self, run: str) -> wire.RunWithSteps:
        return await self._ask(wire.RunWithSteps, "GET", _path("runs", run))

    async def cancel(self, run: str) -> wire.Run:
        return await self._ask(wire.Run, "POST", _path("runs", run, "cancel"), {})

    async def retry(self, run: str) -> wire.Run:
        return await self._ask(wire.Run, "POST", _path("runs", run, "retry"), {})

    async def follow(self, run: str, *, after: str = "") -> AsyncIterator[wire.Event]:
        """Tell a run's events as they happen, until it is over; a broken stream is taken up
        again where it broke. Beats are left out."""
        silent = 0
        while True:
            try:
                async for line in self._lines(_path("runs", run, "events"), after=after):
                    silent = 0
                    event = wire.Event.model_validate_json(line)
                    after = event.cursor or after
                    if event.kind != "beat":
                        yield event
                    if event.run and event.run.over:
                        return
            except errors.Unavailable:
                silent += 1
                if silent > PATIENCE:
                    raise
            await _rest(silent)

    def step_log(self, run: str, step: str, *, follow: bool = False) -> AsyncIterator[str]:
        """Tell the lines of a step's log: those that are there, or with ``follow`` until it ends."""
        path = _path("runs", run, "steps", step, "log")
        return self._lines(path, follow="true" if follow else "false")

    # Releases, approvals, deployments

    async def releases(
        self, app: str, *, limit: int = 20, after: str = ""
    ) -> wire.Page[wire.Release]:
        """The newest come first."""
        return await self._ask(
            wire.Page[wire.Release], "GET", _page(_path("apps", app, "releases"), limit, after)
        )

    async def release(self, app: str, release: str) -> wire.ReleaseInFull:
        """``release`` is a version or an identifier."""
        return await self._ask(wire.ReleaseInFull, "GET", _path("apps", app, "releases", release))

    async def approve(
        self,
        app: str,
        environment: str,
        *,
        release: str = "",
        reason: str = "",
        emergency: bool = False,
    ) -> wire.Said:
        """In an ``emergency`` an owner's yes, with a reason, is enough."""
        body = _body(wire.Approve, release=release, reason=reason, emergency=emergency)
        return await self._ask(wire.Said, "POST", _environment(app, environment, "approvals"), body)

    async def deployments(
        self, app: str, environment: str, *, limit: int = 20, after: str = ""
    ) -> wire.Page[wire.Deployment]:
        """The newest come first."""
        path = _page(_environment(app, environment, "deployments"), limit, after)
        return await self._ask(wire.Page[wire.Deployment], "GET", path)

    async def deployment(
        self, app: str, environment: str, deployment: str, *, wait: float = 0, seen: str = ""
    ) -> wire.Deployment:
        """With ``wait`` (seconds, at most 25) the answer comes when the deployment has another
        state or sentence than ``seen`` (``state: sentence``), or when the time is over."""
        path = _environment(app, environment, "deployments", deployment)
        query = str(httpx2.QueryParams({"wait": str(wait), "seen": seen}))
        return await self._ask(wire.Deployment, "GET", f"{path}?{query}")

    async def follow_deployment(
        self, deployment: wire.Deployment
    ) -> AsyncIterator[wire.Deployment]:
        """Tell a deployment each time it changes, beginning with now, until it is over, though
        the server may be gone for a while."""
        yield deployment
        silent = 0
        while not deployment.over:
            seen = f"{deployment.state}: {deployment.sentence}"
            try:
                found = await self.deployment(
                    deployment.app, deployment.environment, deployment.id, wait=20, seen=seen
                )
            except errors.Unavailable:
                silent += 1
                if silent > PATIENCE:
                    raise
                await _rest(silent)
                continue
            silent = 0
            if found != deployment:
                yield found
            deployment = found

    async def deploy(
        self, app: str, environment: str, release: str, *, reason: str = ""
    ) -> wire.Deployment:
        body = _body(wire.Deploy, release=release, reason=reason)
        return await self._ask(
            wire.Deployment, "POST", _environment(app, environment, "deployments"), body
        )

    async def roll_back(
        self, app: str, environment: str, *, to: str = "", reason: str = ""
    ) -> wire.Deployment:
        body = _body(wire.RollBack, to=to, reason=reason)
        return await self._ask(
            wire.Deployment, "POST", _environment(app, environment, "rollback"), body
        )

    # Environments

    async def environment(self, app: str, environment: str) -> wire.Environment:
        return await self._ask(wire.Environment, "GET", _environment(app, environment))

    async def set_variable(
        self,
        app: str,
        environment: str,
        name: str,
        value: str,
        *,
        kind: wire.VariableKind | None = None,
    ) -> wire.Said:
        body = _body(wire.SetVariable, value=value, kind=kind)
        path = _environment(app, environment, "variables", name)
        return await self._ask(wire.Said, "PUT", path, body)

    async def unset_variable(self, app: str, environment: str, name: str) -> wire.Said:
        path = _environment(app, environment, "variables", name)
        return await self._ask(wire.Said, "DELETE", path)

    async def difference(self, app: str, left: str, right: str) -> wire.Page[wire.Difference]:
        query = str(httpx2.QueryParams({"left": left, "right": right}))
        return await self._ask(
            wire.Page[wire.Difference], "GET", f"{_path('apps', app, 'difference')}?{query}"
        )

    # People

    async def people(self) -> wire.Page[wire.Person]:
        return await self._ask(wire.Page[wire.Person], "GET", "/v1/people")

    async def add_person(
        self, name: str, role: wire.RoleName, emails: tuple[str, ...] = ()
    ) -> wire.Person:
        body = _body(wire.AddPerson, name=name, role=role, emails=emails)
        return await self._ask(wire.Person, "POST", "/v1/people", body)

    async def change_person(
        self,
        name: str,
        *,
        role: wire.RoleName | None = None,
        emails: tuple[str, ...] | None = None,
    ) -> wire.Person:
        body = _body(wire.ChangePerson, role=role, emails=emails)
        return await self._ask(wire.Person, "PATCH", _path("people", name), body)

    async def remove_person(self, name: str) -> wire.Said:
        return await self._ask(wire.Said, "DELETE", _path("people", name))

    async def tokens(self, person: str) -> wire.Page[wire.Token]:
        return await self._ask(wire.Page[wire.Token], "GET", _path("people", person, "tokens"))

    async def issue_token(
        self, person: str, name: str, *, expires_days: int | None = 90
    ) -> wire.IssuedToken:
        body = _body(wire.IssueToken, name=name, expires_days=expires_days)
        return await self._ask(wire.IssuedToken, "POST", _path("people", person, "tokens"), body)

    async def revoke_token(self, person: str, token: str) -> wire.Said:
        return await self._ask(wire.Said, "DELETE", _path("people", person, "tokens", token))

    async def make_link(self, person: str) -> sessions_wire.Link:
        """Ask for a link that signs in to the console once."""
        return await self._ask(sessions_wire.Link, "POST", _path("people", person, "links"))

    async def audit(self, *, limit: int = 50, after: str = "") -> wire.Page[wire.AuditEntry]:
        """The newest come first."""
        return await self._ask(wire.Page[wire.AuditEntry], "GET", _page("/v1/audit", limit, after))

    # Notifications

    async def channels(self, app: str) -> wire.Page[wire.Channel]:
        return await self._ask(wire.Page[wire.Channel], "GET", _path("apps", app, "channels"))

    async def add_channel(self, app: str, kind: wire.ChannelKind, target: str) -> wire.AddedChannel:
        body = _body(wire.AddChannel, kind=kind, target=target)
        return await self._ask(wire.AddedChannel, "POST", _path("apps", app, "channels"), body)

    async def remove_channel(self, app: str, channel: str) -> wire.Said:
        return await self._ask(wire.Said, "DELETE", _path("apps", app, "channels", channel))

    async def deliveries(
        self, app: str, *, limit: int = 50, after: str = ""
    ) -> wire.Page[wire.Delivery]:
        """The newest come first."""
        path = _page(_path("apps", app, "deliveries"), limit, after)
        return await self._ask(wire.Page[wire.Delivery], "GET", path)

    # The exchange

    async def _ask(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: pydantic.BaseModel | dict[str, str] | None = None,
    ) -> Answer:
        headers = {} if method == "GET" else {"idempotency-key": uuid.uuid4().hex}
        content = body.model_dump(mode="json") if isinstance(body, pydantic.BaseModel) else body
        response = await self._send(method, path, headers, content)
        if response.is_success:
            return answer.model_validate_json(response.content)
        raise problems.error_of(response.status_code, response.text)

    async def _put(self, path: str, data: bytes) -> None:
        """Send bytes to where their digest names them, so that sending them again is safe."""
        headers = {"content-type": "application/octet-stream"}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._http.put(path, headers=headers, content=data)
                break
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise self._unavailable(error) from error
                await asyncio.sleep(0.2 * attempt)
        if not response.is_success:
            raise problems.error_of(response.status_code, response.text)

    async def _send(
        self, method: str, path: str, headers: dict[str, str], content: dict[str, str] | None
    ) -> httpx2.Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._http.request(method, path, headers=headers, json=content)
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise self._unavailable(error) from error
                await asyncio.sleep(0.2 * attempt)
        raise AssertionError

    async def _lines(self, path: str, **query: str) -> AsyncIterator[str]:
        try:
            async with self._http.stream("GET", path, params=query) as response:
                if not response.is_success:
                    await response.aread()
                    raise problems.error_of(response.status_code, response.text)
                async for line in response.aiter_lines():
                    yield line
        except httpx2.TransportError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> errors.Unavailable:
        return errors.Unavailable(
            f"Shipway at {self.url} does not answer: {str(error) or type(error).__name__}.",
            fix="Is it running? `shipway up` starts it on this machine.",
        )


async def _rest(silent: int) -> None:
    """Wait before asking again what was silent so many times."""
    await asyncio.sleep(min(0.2 * (silent + 1), 2.0))


def _body(request: type[Body], **fields: object) -> Body:
    """Return a request. Raises `errors.Invalid` for what the server would refuse."""
    try:
        return request(**fields)
    except pydantic.ValidationError as error:
        found = tuple(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        )
        raise errors.Invalid("The request is malformed.", problems=found) from None


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _environment(app: str, environment: str, *rest: str) -> str:
    return _path("apps", app, "environments", environment, *rest)


def _page(path: str, limit: int, after: str) -> str:
    return f"{path}?{httpx2.QueryParams({'limit': limit, 'after': after})}"
