"""What devices and browsers talk to. Public and hot: no database, no secret, no network beyond.

It serves web exports and over-the-air updates. The edge tells with each request which exports a
host is at, newest first, in the header ``x-shipway-exports``, and whose updates it asks for in
``x-shipway-updates``; nobody else can tell it, because the edge removes such headers from what
clients send.
"""
