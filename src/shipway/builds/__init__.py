"""From a commit to artifacts: sources, sandboxed steps, caches, logs and provenance."""
