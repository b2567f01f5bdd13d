"""Invariants of the desk (UTILITY 4), each proved over the whole database."""
