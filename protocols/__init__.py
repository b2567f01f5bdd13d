"""Values, names, messages and frames that meter and host share; no I/O, clock or randomness."""
