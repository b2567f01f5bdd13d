"""Register maps of meters that people own, a TOML file each (docs/maps.md)."""
