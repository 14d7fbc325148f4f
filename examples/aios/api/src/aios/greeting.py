"""The one line that a demonstration changes to make a release visible over HTTP."""

GREETING = "Welcome to AIOS"
