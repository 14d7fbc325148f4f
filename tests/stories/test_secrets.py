"""An app that tells its secrets wherever it can: no log has them."""

from __future__ import annotations

import contextlib
import re

import pytest
from demo.stage import Stage
from tests.stories.changing import MIGRATE, SERVER, WORDS, changed

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]

LICENCE = "licence-4711/ß\nof two lines"

TELLING = {
    WORDS: "print('test', ('licence-4711/ß', 'of two lines'))\n\nclass Words",
    MIGRATE: "print('migration', os.environ['DB_URL'], flush=True)\n\ndef main()",
    SERVER: "print('server', os.environ.get('LICENCE'), os.environ, flush=True)\n\ndef main()",
}
"""What each file is made to say: before the last of these words, which it has."""


async def test_no_log_has_a_secret_that_the_app_tells(tiny: Stage) -> None:
    words = ("env", "set", "staging", "LICENCE", "--secret", "--app", tiny.app)
    await tiny.shipway(*words, stdin=LICENCE)
    async with contextlib.AsyncExitStack() as changes:
        for path, telling in TELLING.items():

            def told(text: str, telling: str = telling) -> str:
                return text.replace(telling.splitlines()[-1], telling, 1)

            await changes.enter_async_context(changed(tiny, path, told))
        streamed = await tiny.git("push", "shipway", "main")
        run = await tiny.last_run()
        assert run.state == "succeeded", run.sentence
        shown = await tiny.shipway("logs", run.id, "--app", tiny.app)

    logs = {
        path: path.read_text(errors="replace")
        for path in (tiny.shipway_home / "logs").rglob("*")
        if path.is_file()
    }
    everything = "\n".join([streamed, shown, *logs.values()])
    assert not re.search("licence-4711|of two lines", everything)
    # They did tell, and it was hidden: in the logs of steps and of the new instance.
    assert "test ('***', '***')" in shown
    assert re.search(r"migration postgresql://schema_owner:\*\*\*@", shown)
    of_the_server = "\n".join(text for path, text in logs.items() if "server." in path.parent.name)
    assert re.search(r"server \*\*\*$", of_the_server, re.MULTILINE)
    assert re.search(r"'LICENCE': '\*\*\*(\\n\*\*\*)?'", of_the_server)
    assert re.search(r"'DB_URL': 'postgresql://server:\*\*\*@", of_the_server)
    assert "'JWT_SECRET': '***'" in of_the_server
