"""``python -m shipway.intake``: serve web exports on loopback until told to stop."""

from __future__ import annotations

import uvicorn

from shipway.intake.app import Intake
from shipway.intake.exports import Exports
from shipway.kit import blobs, log, settings

DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 75
"""Longer than the edge keeps an idle connection: the edge closes first, never in mid-request."""


def main() -> None:
    """Serve until SIGTERM, then end what is under way."""
    configured = settings.load()
    log.configure()
    # Read through the folder alone: whoever serves the public holds no key to a remote store.
    store = blobs.Blobs(configured.home / "artifacts")
    exports = Exports(configured.home / "owners" / "intake" / "exports", store)
    uvicorn.run(
        Intake(exports),
        host="127.0.0.1",
        port=configured.intake_port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main()
