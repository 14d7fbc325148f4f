"""A server of one file that counts its visits."""

import os

import psycopg
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def health(request):
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"]) as connection:
        row = await (await connection.execute("select count(*) from visits")).fetchone()
    return JSONResponse({"visits": row[0]})


async def visit(request):
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"]) as connection:
        await connection.execute("insert into visits default values")
    return await health(request)


app = Starlette(routes=[Route("/health", health), Route("/", visit)])
