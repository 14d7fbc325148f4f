"""Telling people and programs what happened: `Outbox.put` by whoever acts, `Courier.deliver`
by the worker, `Channels` by the API."""
