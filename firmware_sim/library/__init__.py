"""Meters and lines of this process on real ports, for programs and for the pytest plugin."""
