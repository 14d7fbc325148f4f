"""Who did what: the trail, the newest first."""
