"""The stories: how a push becomes a release, a release goes live, and how it is taken back."""
