"""Over-the-air updates: published, signed and laid out by the worker, served by `intake`.

The worker writes a *board* for every channel: the signed manifests and directives with their
rollouts. `intake` needs nothing else, and no key: it chooses what a device gets and sends the
bytes that were signed when they were published.
"""
