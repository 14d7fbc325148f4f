"""Envoy as the edge: a table becomes files that it watches, and its admin socket tells what it took.

All state is in the files: an Envoy that was killed serves the same table when it comes back.
Endpoints stand in the clusters and certificates are named in the listeners, so that the number
of files does not grow: Envoy opens one inotify instance for each file that it watches, Linux
gives a user 128 of them, and Envoy aborts when there is none left.
"""

from __future__ import annotations

from shipway.edge.drivers.envoy.driver import Envoy

__all__ = ["Envoy"]
