"""The deterministic simulation: product code on both sides, one thread, one seed, virtual time."""
