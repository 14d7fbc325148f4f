"""A run: its steps in time, and the log of one of them as it is written."""
