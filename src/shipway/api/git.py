"""The git remote: smart HTTP, relayed to `git http-backend` as CGI (RFC 3875).

The push streams in while progress streams out. Refusals before git is asked are plain text,
which git shows as ``remote: …``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from shipway.access.model import Action, Caller
from shipway.api.pushes import Pushing
from shipway.builds import sources
from shipway.kit import command, errors, log
from shipway.workflows.front import ApiPlatform

LONGEST = 6 * 3600.0
"""Seconds: a push stays open while its run is followed."""

CHUNK = 64 * 1024
AT_ONCE = 16

_PATH = re.compile(
    r"/(?P<app>[a-z][a-z0-9-]{0,62})\.git/(?P<verb>info/refs|git-(?:upload|receive)-pack)"
)
_SERVICES = {"git-upload-pack": Action.READ, "git-receive-pack": Action.PUSH}
_log = log.get("git")


_NO_LFS = JSONResponse(
    {"message": "Shipway keeps no Git LFS files. Commit the content: `git lfs migrate export`."},
    501,
    media_type="application/vnd.git-lfs+json",
)
"""What the LFS client of a person's git shows."""


class Left(Exception):
    """The person is not there any more."""


class TooLarge(Exception):
    """The push has more bytes than one may have."""


class Remote:
    """The ASGI application below ``/git``. ``largest`` bounds a push, in bytes."""

    def __init__(
        self, on: ApiPlatform, pushing: Pushing, *, largest: int = sources.LONGEST_PUSH
    ) -> None:
        self._on = on
        self._pushing = pushing
        self._largest = largest
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if ".git/info/lfs/" in scope["path"]:
            await _NO_LFS(scope, receive, send)
            return
        try:
            caller = await self._caller(headers)
            app, service, path = self._asked(scope, caller)
            await self._on.apps.get(app)
        except errors.ShipwayError as error:
            await _refuse(error)(scope, receive, send)
            return
        async with self._turns:
            if service == "git-receive-pack":
                await self._push(scope, receive, send, app, caller, path)
            else:
                await self._relay(scope, receive, send, path, {})

    async def _caller(self, headers: Headers) -> Caller:
        """Return who asks: the password of Basic authentication is a token, the name is not read."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        token = credentials.strip()
        if scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                token = base64.b64decode(token).decode().partition(":")[2]
        if not token:
            raise errors.Unknown(
                "A token is needed as the password.", fix="`shipway login` stores one for git."
            )
        return await self._on.people.by_token(token)

    def _asked(self, scope: Scope, caller: Caller) -> tuple[str, str, str]:
        """Return the app, the service and the path, if the caller may use it."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        match = _PATH.fullmatch(path)
        if not match:
            raise errors.NotFound("There is no repository here. Addresses end in /git/APP.git.")
        service = match["verb"]
        if service == "info/refs":
            service = scope["query_string"].decode(errors="replace").removeprefix("service=")
        if service not in _SERVICES:
            raise errors.Denied("This git is too old: smart HTTP is needed.")
        caller.must(_SERVICES[service])
        return match["app"], service, path

    async def _push(
        self, scope: Scope, receive: Receive, send: Send, app: str, caller: Caller, path: str
    ) -> None:
        try:
            with self._pushing.environment(app, caller) as environment:
                await self._relay(scope, receive, send, path, environment)
        finally:
            # What has landed counts, whether or not the person has waited for the hooks.
            if scope["method"] == "POST":
                await self._pushing.landed(app, caller.person)

    async def _relay(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        path: str,
        environment: Mapping[str, str],
    ) -> None:
        backend = command.Command(
            argv=("git", "http-backend"),
            env={**self._cgi(scope, path), **environment},
            timeout=LONGEST,
        )
        exchange = Exchange(receive, send, self._largest)
        try:
            async with command.piped(
                backend, on_error_line=lambda line: _log.info("git.said", line=line)
            ) as pipes:
                await exchange.carry(pipes)
        except Left:
            return
        except TooLarge:
            await exchange.refuse_size()
        except errors.ShipwayError as error:
            _log.warning("git.failed", why=str(error))
            if not exchange.answered:
                await _refuse(errors.Failed("git did not answer."))(scope, receive, send)

    def _cgi(self, scope: Scope, path: str) -> dict[str, str]:
        headers = Headers(scope=scope)
        meta = {
            "REQUEST_METHOD": scope["method"],
            "PATH_INFO": path,
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": headers.get("content-length", ""),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
        }
        return {
            **command.base_environment(),
            **{name: value for name, value in meta.items() if value},
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_USER": "shipway",
            "GIT_PROJECT_ROOT": str(self._on.sources.path("x").parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **_configuration(
                {
                    "safe.directory": "*",
                    "core.hooksPath": str(self._pushing.hooks),
                    "http.receivepack": "true",
                    "transfer.hideRefs": sources.HIDDEN,
                    "receive.fsckObjects": "true",
                    # What may be forced is for the rules of `push_rules` to say.
                    "receive.denyNonFastForwards": "false",
                    "receive.denyDeletes": "false",
                    "receive.maxInputSize": str(self._largest),
                }
            ),
        }


def _configuration(settings: Mapping[str, str]) -> dict[str, str]:
    """Return git configuration as environment variables, which no repository overrides."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


class Exchange:
    """One request and its answer, carried between ASGI and a CGI program."""

    def __init__(self, receive: Receive, send: Send, largest: int) -> None:
        self._receive = receive
        self._send = send
        self._largest = largest
        self._size = 0
        self._complete = False
        self.answered = False

    async def carry(self, pipes: command.Pipes) -> None:
        """Carry both ways at once. Raises `Left` or `TooLarge`."""
        feeding = asyncio.ensure_future(self._feed(pipes.stdin))
        pumping = asyncio.ensure_future(self._pump(pipes.stdout))
        try:
            await asyncio.wait({feeding, pumping}, return_when=asyncio.FIRST_COMPLETED)
            if not pumping.done():
                feeding.result()
            await pumping
        finally:
            for task in (feeding, pumping):
                task.cancel()
            await asyncio.gather(feeding, pumping, return_exceptions=True)

    async def _feed(self, stdin: asyncio.StreamWriter) -> None:
        """Write the request's body, then watch for the person to leave."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Left
            body = message.get("body", b"")
            self._count(message)
            if self._size > self._largest:
                raise TooLarge
            # git may have ended early; what it did not read is of no use.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                stdin.write(body)
                await stdin.drain()
                if self._complete:
                    stdin.close()

    async def _pump(self, stdout: asyncio.StreamReader) -> None:
        """Read the CGI's headers and send them, then its body as it comes."""
        try:
            head = await stdout.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise errors.Failed("git http-backend gave no answer.") from error
        status, headers = _parse(head)
        # git's answer to a push begins before it has read the push: wait for what it says, so
        # that a push which is too large can still be refused in words.
        chunk = await stdout.read(CHUNK)
        await self._begin(status, headers)
        while chunk:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await stdout.read(CHUNK)
        await self._send({"type": "http.response.body", "body": b""})

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.answered = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def refuse_size(self) -> None:
        """Tell by git's own means, after the person's git has sent all: it listens only then."""
        text = (
            f"The push is larger than {self._largest // 1024**2} MiB, which is the most that this"
            " Shipway takes. Keep large files out of the repository, or push in parts."
        )
        if self.answered or not await self._drain():
            return
        await self._begin(200, [(b"content-type", b"application/x-git-receive-pack-result")])
        # Band 3 of the side-band ends the exchange with an error (gitprotocol-pack).
        line = b"\x03" + text.encode() + b"\n"
        body = f"{len(line) + 4:04x}".encode() + line + b"0000"
        await self._send({"type": "http.response.body", "body": body})

    async def _drain(self) -> bool:
        """Read the rest of the request. Returns False when the person left, or sends for ever."""
        while not self._complete and self._size < 4 * self._largest:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            self._count(message)
        return self._complete

    def _count(self, message: Message) -> None:
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)


def _parse(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return the status and headers of a CGI answer (RFC 3875, §6.3)."""
    status, headers = 200, []
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        elif name:
            headers.append((name.lower(), value.strip()))
    return status, headers


def _refuse(error: errors.ShipwayError) -> PlainTextResponse:
    """Git shows the text of a refusal as ``remote: …``."""
    headers = {"www-authenticate": 'Basic realm="Shipway"'} if error.status == 401 else {}
    return PlainTextResponse(f"{error}\n", error.status, headers)
