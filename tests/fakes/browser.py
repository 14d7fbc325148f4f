"""A browser without a script: it keeps cookies, fills in forms and follows redirects."""

from __future__ import annotations

import html.parser
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
from tests.fakes.platform import Live


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get")))
        elif tag in {"input", "select"} and self.found and given.get("name"):
            self.found[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "textarea":
            self._text = given.get("name", "")

    def handle_data(self, data: str) -> None:
        if self._text:
            self.found[-1].fields[self._text] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""


class Browser:
    """One person's browser, looking at one Shipway."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.http = httpx2.AsyncClient(base_url=live.url, trust_env=False, follow_redirects=True)
        self.page = httpx2.Response(200)

    @property
    def text(self) -> str:
        return self.page.text

    async def sign_in(self, person: str) -> None:
        """Come in by a link, as `shipway console` prints it."""
        code, _ = await self._live.platform.sessions.make_link(person)
        await self.open(f"/console/enter/{code}")
        await self.send(f"/console/enter/{code}")

    async def open(self, path: str) -> httpx2.Response:
        self.page = await self.http.get(path)
        return self.page

    def forms(self) -> list[Form]:
        parser = _Forms()
        parser.feed(self.page.text)
        return parser.found

    def form(self, deed: str) -> Form:
        """Return the form of a deed, or the one that goes to an address."""
        for one in self.forms():
            if deed in {one.fields.get("deed"), one.action}:
                return one
        raise AssertionError(f"no form for {deed} on {self.page.url}: {self.page.text[:2000]}")

    async def send(self, deed: str, **given: str) -> httpx2.Response:
        """Fill in a form and send it."""
        form = self.form(deed)
        return await self.post(form.action, {**form.fields, **given})

    async def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        self.page = await self.http.post(path, data=dict(fields), headers=dict(headers or {}))
        return self.page

    async def close(self) -> None:
        await self.http.aclose()
