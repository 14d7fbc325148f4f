"""What devices and browsers talk to. Public and hot: no database, no secret, no network beyond.

It serves web exports. The edge tells with each request which exports a host is at, newest first,
in the header ``x-shipway-exports``; nobody else can tell it, because the edge removes that header
from what clients send.
"""
