"""How a meter is described, once: one table of keys for flags, TOML files, fixtures and `new`."""
