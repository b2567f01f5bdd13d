"""Faults in force, and the requests of those of meters."""
