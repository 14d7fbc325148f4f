"""Backups of the databases of apps: taken, checked, and brought up again, with pgBackRest."""
