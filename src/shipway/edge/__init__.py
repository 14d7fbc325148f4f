"""Steers traffic: which host goes to which release, in which shares, behind which certificate."""
