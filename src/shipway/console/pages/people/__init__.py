"""Everybody with an account, and what each may do."""
