"""Lists of registers as people own them (CSV), read for `meter-sim map new --from-csv`."""
