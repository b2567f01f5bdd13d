"""Faults in force, and what those of meters do."""
