"""Logs as files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from shipway.builds import model
from shipway.console.showing import Console


async def log(console: Console, request: Request) -> Response:
    """A step's log as text, as it is now."""
    await console.session(request)
    run = (await console.on.runs.get(request.path_params["run"])).id
    step = request.query_params.get("step", "")

    async def pieces() -> AsyncIterator[str]:
        offset = 0
        while True:
            piece = await asyncio.to_thread(console.on.logs.read, run, step, offset)
            if not piece.lines:
                return
            offset = piece.offset
            yield "\n".join(piece.lines) + "\n"

    name = f"{run}-{model.slug(step)}.log"
    headers = {"content-disposition": f"attachment; filename={name}"}
    return StreamingResponse(pieces(), headers=headers, media_type="text/plain; charset=utf-8")
