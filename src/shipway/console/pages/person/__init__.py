"""A person: role, tokens, sessions, and their own password."""
