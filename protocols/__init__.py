"""Values, names, messages and frames that meter and host share; no I/O, clock or randomness."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # a project may have a folder of this name, as modules
__version__ = "0.1.0"
"""The version of the distribution; pyproject.toml takes it from here."""
