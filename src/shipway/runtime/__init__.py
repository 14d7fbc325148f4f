"""Runs things: who owns them, which process keeps them, how an instance starts and ends."""
