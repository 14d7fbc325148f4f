"""The web console: pages that are whole when they arrive, and go on by server-sent events.

A page is one folder of `pages`: what it asks, how it looks, and what can be done on it. Whatever
is done goes through the API, as the person who is signed in.
"""
