"""Entries that are added up."""
