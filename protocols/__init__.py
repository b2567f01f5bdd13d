"""Values, names, messages and frames that meter and host share; no I/O, clock or randomness."""

__version__ = "0.1.0"
"""The version of the distribution; pyproject.toml takes it from here."""
