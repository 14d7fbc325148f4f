"""The HTTP API and the git remote: one router for each context, nothing decided here."""
