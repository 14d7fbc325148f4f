"""The only part of Shipway that is root: typed verbs over a Unix socket, and no network."""
