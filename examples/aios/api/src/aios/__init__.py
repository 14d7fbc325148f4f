"""AIOS: notes, tasks and calendar events behind a small HTTP API."""

__version__ = "1.0.0"
