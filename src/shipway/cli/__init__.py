"""The command line: parse, call the API, print.

A module for each group of verbs, each thin over `shipway.client`. `session` finds the server and
the app that a command is about, `output` prints, `follow` shows work while it happens. Only
`serve` knows the platform itself: it starts and ends it on this machine.
"""
