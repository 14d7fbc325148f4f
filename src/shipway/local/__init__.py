"""An app on a person's own machine: `shipway dev`, in a clone, without any server of Shipway's.

Nothing here needs more than the command line's own dependencies, and nothing is for Linux alone.
"""
