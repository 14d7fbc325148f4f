"""Every release of an app, the newest first, and where each has come."""
