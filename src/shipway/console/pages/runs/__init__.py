"""Every run of an app, the newest first."""
