"""Which product, version and release answers here."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from aios import __version__
from aios.greeting import GREETING

router = APIRouter(tags=["about"])


class About(BaseModel):
    """What a person or a deployment wants to know first."""

    product: str
    greeting: str
    version: str
    release: str


@router.get("/")
@router.get("/version")
async def about(request: Request) -> About:
    """Greet, and say what is running."""
    release = request.app.state.settings.release
    return About(product="AIOS", greeting=GREETING, version=__version__, release=release)
