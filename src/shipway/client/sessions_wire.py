"""Requests and responses about coming into the console."""

from __future__ import annotations

import pydantic

from shipway.client.wire import Answer, Moment, Request


class Link(Answer):
    """A way into the console that works once. ``path`` is below the server's address."""

    path: str
    expires: Moment


class SetPassword(Request):
    password: str = pydantic.Field(max_length=1000)
    current: str = pydantic.Field(default="", max_length=1000)
    """The one before, where there is one."""


class Session(Answer):
    """A browser in which a person is signed in to the console."""

    id: str
    about: str
    """What the browser calls itself."""
    created: Moment
    seen: Moment
