"""The smallest app that Shipway delivers."""

VERSION = "1"

FAULT = ""
"""What is wrong with it: "unready" never answers well, "dies" ends when asked for /die."""
