"""`shipway.toml`: reading it, its JSON Schema, and proposing one for an existing repository.

Nothing here needs a server, so that the command line can check a file anywhere.
"""

from __future__ import annotations

from shipway.appfile.model import Product
from shipway.appfile.parsing import parse
from shipway.appfile.proposal import propose
from shipway.appfile.reference import schema

__all__ = ["Product", "parse", "propose", "schema"]
