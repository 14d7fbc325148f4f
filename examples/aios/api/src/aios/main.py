"""The entry point: read the settings, serve until told to stop, finish what was begun."""

import os
import sys

import uvicorn

from aios.app import create_app
from aios.settings import SettingsError, load_settings

# Below the 20 seconds after which the platform stops asking politely.
DRAIN_SECONDS = 15


def main() -> None:
    """Serve AIOS. On SIGTERM take no new request and let the open ones end."""
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
    )


if __name__ == "__main__":
    main()
