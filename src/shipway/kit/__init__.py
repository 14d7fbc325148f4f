"""The doors to the outside, one per kind: commands, HTTP, PostgreSQL, workflows, files.

Nothing here knows a word of the product.
"""
