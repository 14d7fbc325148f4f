"""Shipway: from `git push` to production for an app, its API server and its database."""
