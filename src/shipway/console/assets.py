"""The console's style and script: built once by ``./dev``, served by the digest of their bytes."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.resources
import pathlib

import brotli
from starlette.requests import Request
from starlette.responses import Response

from shipway.kit import errors

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_FOR_EVER = "public, max-age=31536000, immutable"


class Asset:
    """A file with its compressed forms."""

    def __init__(self, path: pathlib.Path) -> None:
        self.body = path.read_bytes()
        self.type = TYPES[path.suffix]
        digest = hashlib.sha256(self.body).hexdigest()[:16]
        self.name = f"{path.stem}.{digest}{path.suffix}"
        self.encoded = {
            "br": brotli.compress(self.body, quality=9),
            "gzip": gzip.compress(self.body, 9, mtime=0),
        }


@functools.cache
def every() -> dict[str, Asset]:
    """Return the files by their plain names.

    The script is missing where `./dev` has not built it: pages can be read without.
    """
    folders = [importlib.resources.files("shipway.console") / name for name in ("assets", "built")]
    paths = [
        pathlib.Path(str(file))
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if pathlib.Path(str(file)).suffix in TYPES
    ]
    return {path.name: Asset(path) for path in paths}


def address(name: str) -> str:
    """Return where a file is served, or "" when it was not built."""
    found = every().get(name)
    return f"/console/assets/{found.name}" if found else ""


async def serve(request: Request) -> Response:
    """A file never changes under its name, so browsers ask once."""
    wanted = request.path_params["name"]
    for asset in every().values():
        if asset.name == wanted:
            return _answer(asset, request.headers.get("accept-encoding", ""))
    raise errors.NotFound("There is no such file.")


def _answer(asset: Asset, accepted: str) -> Response:
    headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding"}
    known = {part.partition(";")[0].strip() for part in accepted.split(",")}
    for encoding, body in asset.encoded.items():
        if encoding in known:
            headers["content-encoding"] = encoding
            return Response(body, headers=headers, media_type=asset.type)
    return Response(asset.body, headers=headers, media_type=asset.type)
