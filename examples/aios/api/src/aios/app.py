"""The application: routes, errors and cross-origin rules around one database engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from aios import __version__
from aios.database import create_database_engine
from aios.problems import install_problem_handlers
from aios.routes import about, accounts, events, health, notes, tasks
from aios.settings import Settings

LOCAL_ORIGINS = r"http://(localhost|127\.0\.0\.1)(:\d+)?"


def create_app(settings: Settings) -> FastAPI:
    """Build the application. It connects to the database on the first request, not here."""
    engine = create_database_engine(settings.db_url)

    @asynccontextmanager
    async def close_connections(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(
        title="AIOS",
        version=__version__,
        servers=[{"url": settings.api_url}],
        lifespan=close_connections,
    )
    app.state.settings = settings
    app.state.engine = engine
    install_problem_handlers(app)
    _allow_web_client(app, settings)
    for routes in (about, health, accounts, notes, tasks, events):
        app.include_router(routes.router)
    return app


def _allow_web_client(app: FastAPI, settings: Settings) -> None:
    """Let the web export call us. Tokens travel in a header, so no cookie needs to be allowed."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[f"https://{settings.domain}"],
        allow_origin_regex=LOCAL_ORIGINS if settings.is_local else None,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        max_age=600,
    )
