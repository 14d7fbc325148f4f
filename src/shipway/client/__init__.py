"""The typed client of Shipway's API, and the shapes of everything that crosses it."""
