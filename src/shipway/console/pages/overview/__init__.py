"""An app at one look: what is live where, since when, what is on its way."""
