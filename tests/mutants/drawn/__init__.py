"""Mutants drawn from a seed: small faults of operators, conditions, constants and calls."""
