"""PostgreSQL: Shipway's own store, a cluster for each environment of an app, schema migrations."""
