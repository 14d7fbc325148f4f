"""``python -m shipway.intake``: serve web exports and updates on loopback until told to stop."""

from __future__ import annotations

import uvicorn

from shipway.intake.app import Intake
from shipway.intake.boards import Boards
from shipway.intake.exports import Exports
from shipway.intake.sightings import Sightings
from shipway.intake.updates import Updates
from shipway.kit import blobs, log, settings
from shipway.updates.files import Files

DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 75
"""Longer than the edge keeps an idle connection: the edge closes first, never in mid-request."""


def main() -> None:
    """Serve until SIGTERM, then end what is under way."""
    configured = settings.load()
    log.configure()
    # Read through the folder alone: whoever serves the public holds no key to a remote store.
    store = blobs.Blobs(configured.home / "artifacts")
    own, public = configured.home / "owners" / "intake", configured.home / "updates"
    updates = Updates(
        Boards(public / "boards"), Files(public / "files"), Sightings(own / "updates" / "sightings")
    )
    uvicorn.run(
        Intake(Exports(own / "exports", store), updates),
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
