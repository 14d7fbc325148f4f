"""Runs tasks and keeps services with s6, bubblewrap and one OS user for each owner."""
