"""Where the console begins: every app in a line."""
