"""A release: what it changes, what it waits for, where it has come, and the way back."""
